"""The whole templates, registries and all: a base that has neither Node nor the CLI, npm, pip and apt as anyone has them.

`CABTRACE_IMAGE_TEMPLATES` names the agents (`all` for all); without it nothing here runs, since it wants npm, PyPI and Debian.
`SSL_CERT_FILE` is trusted while the images are built. An image of a gigabyte is left behind for each agent.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cabtrace.agents.registry import find_agent
from tests.matrix.test_agents_docker import inside, outside
from tests.support.cell_image import PLAIN_BASE, need_image
from tests.support.matrix import AGENTS, roots_and_orphans

ASKED = os.environ.get("CABTRACE_IMAGE_TEMPLATES", "")
CHOSEN = AGENTS if ASKED == "all" else tuple(ASKED.split())

pytestmark = [pytest.mark.matrix, pytest.mark.docker, pytest.mark.slow, pytest.mark.xdist_group("matrix")]


@pytest.fixture(scope="module", params=AGENTS)
def built(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Agent and tag."""
    agent = str(request.param)
    if agent not in CHOSEN:
        pytest.skip("CABTRACE_IMAGE_TEMPLATES does not name it")
    need_image(PLAIN_BASE)
    tag, trusted = f"cabtrace-test/full:{agent}", os.environ.get("SSL_CERT_FILE", "")
    words = ["image", "build", agent, "--base", PLAIN_BASE, "--tag", tag, *(["--ca", trusted] if trusted else [])]
    done = subprocess.run([sys.executable, "-m", "cabtrace", *words], capture_output=True, text=True, check=False, timeout=540)
    assert done.returncode == 0, done.stderr
    return agent, tag


def test_what_the_base_lacked_was_installed_and_no_more_is_trusted(built: tuple[str, str]) -> None:
    agent, tag = built
    look = 'command -v "$1"; cat /opt/cabtrace/pyvenv.cfg; ls /tmp; env; whoami'
    words = ["docker", "run", "--rm", "--entrypoint", "sh", tag, "-c", look, "sh", *find_agent(agent).executables()]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout

    assert said.startswith(("/usr/local/bin/", "/usr/bin/"))
    assert "cabtrace-image" not in said
    assert not [name for name in ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "APT_CONFIG") if f"{name}=" in said]
    assert said.rstrip().endswith("cabtrace")


@pytest.mark.parametrize("where", [inside, outside])
def test_a_cell_runs_in_it(built: tuple[str, str], where: object, tmp_path: Path) -> None:
    agent, tag = built
    cell = where(agent, tmp_path, tag)  # type: ignore[operator]  # one of the two above
    header = cell.run.header

    assert (header.cause, header.cause_detail, header.exit_code) == ("passed", "", 0)
    assert getattr(find_agent(agent), "verified_version", None) in header.agent.version
    assert (header.completeness.lost.total, header.completeness.model_calls) == (0, "complete")
    assert cell.run.changes()["added"] == ["hello.txt"]
    calls = cell.run.calls()
    assert sorted(call.request_hash for call in calls) == sorted(served.request_hash for served in cell.model_requests)
    assert calls
    assert any("hello" in tool.text("gen_ai.tool.call.arguments") for tool in cell.tools()) or agent == "aider"  # it has no tools
    roots, orphans = roots_and_orphans(cell.run)
    assert (len(roots), orphans) == (1, [])
