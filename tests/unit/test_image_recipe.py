"""What `cabtrace image build` gives the engine: checked without one, and without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.errors import UsageError
from cabtrace.runner.image import PACKAGES, build, recipe

IMAGES = files("cabtrace").joinpath("images")
SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]
RECIPES = {name: recipe(find_agent(name)) for name in PACKAGES}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_can_read_the_script(shell: str) -> None:
    words = [shell, "sh"] if shell == "busybox" else [shell]
    done = subprocess.run([*words, "-n"], input=IMAGES.joinpath("install.sh").read_bytes(), capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


def test_the_script_is_given_what_it_takes_in_that_order() -> None:
    dockerfile, script = (IMAGES.joinpath(name).read_text("utf-8") for name in ("Dockerfile", "install.sh"))
    given = re.findall(r"\$\{(\w+)\}", next(line for line in dockerfile.splitlines() if line.startswith("RUN")))
    taken = [name for name, _ in re.findall(r"(\w+)=\$(\d)", script)]

    assert [name.lower() for name in given] == [*taken, "packages"]
    assert f"shift {len(taken)}\n" in script


@pytest.mark.parametrize("name", RECIPES)
def test_every_argument_is_declared_used_and_harmless(name: str) -> None:
    dockerfile = IMAGES.joinpath("Dockerfile").read_text("utf-8")

    assert set(re.findall(r"^ARG (\w+)$", dockerfile, re.MULTILINE)) == set(RECIPES[name].arguments)
    for argument, value in RECIPES[name].arguments.items():
        assert f"${{{argument}}}" in dockerfile
        assert re.fullmatch(r"[\w@/.:= -]*", value), (argument, value)  # the shell splits them at spaces and sees no other sign


@pytest.mark.parametrize("name", RECIPES)
def test_a_cli_is_pinned_and_has_to_say_so_itself(name: str) -> None:
    made = RECIPES[name]
    pin = {"npm": r"(@[\w-]+/)?[\w-]+@\d+\.\d+\.\d+", "pip": r"[\w-]+==\d+(\.\d+)+"}.get(made.packages.manager, "")

    assert all(re.fullmatch(pin, word) for word in made.arguments["PACKAGES"].split())
    assert made.arguments["CHECK"].partition(" ")[0] == made.packages.program


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_certificates_that_are_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)

    with pytest.raises(UsageError, match="no certificate in PEM"):
        build(recipe(find_agent("codex"), "no-such-base"), ca_file=path)
