"""The example of an agent by entry point: found as an installed package would be, and run for real."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cabtrace.modelserver.script import load_script
from cabtrace.modelserver.server import ModelServer

pytestmark = pytest.mark.skipif(
    not (Path(__file__).resolve().parents[2] / "examples").is_dir(), reason="the examples lie beside the tests in a checkout only"
)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RUN = """
import sys
from pathlib import Path
from cabtrace.agents.registry import agent_names, find_agent
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import CellSpec
from cabtrace.runner.task import load_task

examples, folder, endpoint = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
assert "one-shot" in agent_names({})
task = load_task(examples / "tasks" / "smoke" / "hello-file")
places = {"store": folder / "store", "scratch": folder / "scratch", "sandbox": "local", "endpoint": endpoint}
result = run_cell(CellSpec(task=task, agent=find_agent("one-shot", {}), model="scripted/careful", **places))
print(result.cause, result.header.agent.name, result.header.completeness.model_calls)
"""


def test_it_is_short() -> None:
    assert len((EXAMPLES / "plugin-agent" / "one_shot_agent.py").read_text().splitlines()) < 60


def test_it_is_found_by_its_entry_point_and_runs(tmp_path: Path) -> None:
    project = tomllib.loads((EXAMPLES / "plugin-agent" / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / "site" / "cabtrace_one_shot-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    entries = project["entry-points"]["cabtrace.agents"]
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (metadata / "entry_points.txt").write_text(f"[cabtrace.agents]\n{lines}")
    server = ModelServer((load_script(EXAMPLES / "models" / "hello.toml"),), speed=0)
    server.start()
    try:
        code = f"import sys; sys.path[:0] = {[str(tmp_path / 'site'), str(EXAMPLES / 'plugin-agent')]!r}\n{RUN}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(EXAMPLES), str(tmp_path), server.url], capture_output=True, text=True, timeout=120
        )
    finally:
        server.stop()

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "passed one-shot complete"
