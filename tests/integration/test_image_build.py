"""`cabtrace image build`, and the image's two uses: the harness inside of it, and the harness outside."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from cabtrace.agents.registry import BUILT_IN, find_agent
from cabtrace.errors import SandboxError, UsageError
from cabtrace.examples import example_task
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer, Served
from cabtrace.runner.image import PACKAGES, build, recipe
from cabtrace.runner.own_wheel import write_wheel
from cabtrace.store.reader import RunView
from tests.support.cell_image import BRIDGE_HOST, PLAIN_BASE, cell_image, need_image

KEY = "sk-real-key-of-the-endpoint"
LOOK = "printf 'hello\\n' > hello.txt; cat /proc/1/environ"
SCRIPT = Script.model_validate(
    {
        "schema_version": "1",
        "model": [{"name": "m", "turn": [{"tool_call": [{"name": "*", "arguments": {"command": LOOK}}]}, {"text": "Done."}]}],
    }
)


def test_a_wheel_of_the_running_code_installs_and_holds_everything(tmp_path: Path) -> None:
    path = write_wheel(tmp_path)

    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        assert wheel.testzip() is None
    assert {"cabtrace/cli/main.py", "replay/tui/app.tcss", "exporters/__init__.py", "cabtrace/images/install.sh"} <= names
    assert "cabtrace/_examples/tasks/smoke/hello-file/task.toml" in names
    assert not [name for name in names if "__pycache__" in name or "/target/" in name]
    target = tmp_path / "installed"
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(target)
    code = "import sys; from cabtrace.cli.main import main; sys.exit(main(['--version']))"
    env = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert distribution("cabtrace").version in done.stdout


def test_the_same_code_makes_the_same_wheel(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()

    assert write_wheel(tmp_path / "one").read_bytes() == write_wheel(tmp_path / "other").read_bytes()


def test_the_version_is_pinned_to_the_one_the_adapter_was_verified_with() -> None:
    for name in PACKAGES:
        agent = find_agent(name)
        arguments = recipe(agent).arguments
        version = getattr(agent, "verified_version", "")
        assert version in arguments["PACKAGES"]
        assert arguments["PROGRAM"] in (*agent.executables(), "cabtrace")
    assert set(BUILT_IN) - set(PACKAGES) == {"command", "oracle", "nop"}


def test_an_agent_that_nobody_knows_how_to_install() -> None:
    with pytest.raises(UsageError, match="not known how 'nop' is installed"):
        recipe(find_agent("nop"))


def test_a_folder_without_pips_wheel(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no wheel of pip"):
        build(recipe(find_agent("reference")), tmp_path)


@pytest.mark.docker
@pytest.mark.slow
def test_without_a_way_to_an_index_it_says_what_to_do() -> None:
    need_image(PLAIN_BASE)
    with pytest.raises(SandboxError) as caught:
        build(recipe(find_agent("codex"), PLAIN_BASE, "cabtrace-test/never:1"), network="none")

    assert "returned a non-zero code" in caught.value.what
    assert "\x1b" not in caught.value.what
    assert "--network NAME" in caught.value.hint


@pytest.fixture
def image() -> str:
    return cell_image()


@pytest.fixture
def served(image: str) -> Iterator[tuple[str, list[Served]]]:
    server = ModelServer([SCRIPT], host=BRIDGE_HOST, speed=0, api_key=KEY)
    server.start()
    yield server.url, server.requests
    server.stop()


@pytest.mark.docker
@pytest.mark.slow
def test_the_harness_inside_the_image(tmp_path: Path, image: str, served: tuple[str, list[Served]]) -> None:
    store = tmp_path / "store"
    store.mkdir()
    store.chmod(0o777)  # the container's user is another
    run = ["docker", "run", "--rm", "-e", "CAB_ENDPOINT", "-e", "CAB_KEY", "-v", f"{store}:/cabtrace/store", image]
    cell = ["run-cell", "--tui", "reference", "--model", "m", "--task", "smoke/hello-file"]
    env = {**os.environ, "CAB_ENDPOINT": served[0], "CAB_KEY": KEY}
    done = subprocess.run([*run, *cell], env=env, capture_output=True, text=True, check=False, timeout=240)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing is mounted" not in done.stdout
    subprocess.run(
        [*run[:-1], "--user", "0", "--entrypoint", "chmod", image, "-R", "a+rX", "/cabtrace/store"],
        env=env,
        check=True,
        timeout=120,
    )
    (found,) = store.rglob("run.json")
    view = RunView(found.parent)
    assert view.header.cause == "passed"
    assert view.header.sandbox.image == image
    assert "started by somebody else" in view.header.sandbox.left_open[0]
    assert [c.request_hash for c in view.calls()] == [s.request_hash for s in served[1] if s.request_hash]
    (tool,) = [s for s in view.spans() if s.text("gen_ai.operation.name") == "execute_tool"]
    assert "Permission denied" in tool.text("gen_ai.tool.call.result")  # the key is in there


@pytest.mark.docker
@pytest.mark.slow
def test_without_a_mount_it_says_that_the_record_goes_with_the_container(image: str, served: tuple[str, list[Served]]) -> None:
    words = ["run-cell", "--tui", "reference", "--model", "m", "--task", "smoke/hello-file"]
    env = {**os.environ, "CAB_ENDPOINT": served[0], "CAB_KEY": KEY}
    run = ["docker", "run", "--rm", "-e", "CAB_ENDPOINT", "-e", "CAB_KEY", "--user", "12345:12345", image]
    done = subprocess.run([*run, *words], env=env, capture_output=True, text=True, check=False, timeout=240)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing is mounted at /cabtrace/store" in done.stdout


@pytest.mark.docker
@pytest.mark.slow
def test_the_harness_outside_the_image(tmp_path: Path, image: str, served: tuple[str, list[Served]]) -> None:
    words = ["run", "--task", str(example_task("smoke/hello-file")), "--agent", "reference", "--model", "m"]
    env = {
        **os.environ,
        "CABTRACE_API_KEY": KEY,
        "CABTRACE_STORE": str(tmp_path / "store"),
        "CABTRACE_SCRATCH": str(tmp_path / "scratch"),
    }
    command = [sys.executable, "-m", "cabtrace", *words, "--sandbox", "docker", "--image", image, "--endpoint", served[0]]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=240)

    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = (tmp_path / "store").rglob("run.json")
    assert RunView(found.parent).header.sandbox.isolated
