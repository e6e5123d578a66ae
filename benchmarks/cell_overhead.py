"""Wall time of a scripted cell beside the bare agent on the same scripted model, in turn."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks._timing import row
from cabtrace.agents.registry import find_agent
from cabtrace.examples import example_task
from cabtrace.modelserver.script import load_script
from cabtrace.modelserver.server import ModelServer
from cabtrace.protocols import LaunchContext, SandboxPaths
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import CellSpec
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView

SECONDS = float(os.environ.get("CABTRACE_BENCH_CELL_S", "60"))
TURNS = 12
ROUNDS = 3


def script(seconds: float) -> str:
    """A session of that many seconds: turns with a tool call each, and then the end."""
    turn_ms = int(seconds * 1000 / TURNS)
    turns = [
        f'[[model.turn]]\nfirst_token_ms = {turn_ms}\nchunk_ms = 0\ntext = "turn {n}"\n'
        '[[model.turn.tool_call]]\nname = "*"\narguments = { command = "ls" }\n'
        for n in range(TURNS - 1)
    ]
    last = f'[[model.turn]]\nfirst_token_ms = {turn_ms}\nchunk_ms = 0\ntext = "done"\n'
    return 'schema_version = "1"\n[[model]]\nname = "bench"\n' + "".join(turns) + last


def bare_agent(url: str, folder: Path) -> float:
    """The same agent, without cabtrace around it."""
    home = folder / "home"
    home.mkdir(parents=True)
    paths = SandboxPaths(str(folder), str(home), "", "", "")
    context = LaunchContext("go", "bench", url.removesuffix("/v1"), "cbt-none", paths, 600, "local")
    launch = find_agent("reference").launch(context)
    for name, content in launch.files.items():
        (home / name).write_bytes(content)
    begin = time.perf_counter()
    subprocess.run(launch.argv, env={**os.environ, **launch.env}, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begin


def recorded_agent(url: str, folder: Path) -> float:
    spec = CellSpec(
        task=load_task(example_task("polyglot/python-error-handling")),
        agent=find_agent("reference"),
        model="bench",
        store=folder / "store",
        scratch=folder / "scratch",
        sandbox="local",
        endpoint=url,
    )
    result = run_cell(spec)
    spans = RunView(result.path).spans()
    (container,) = (s for s in spans if s.attributes.get("cabtrace.span.kind") == "container")
    return ((container.end_ns or 0) - container.start_ns) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="how long a cell takes [default: CABTRACE_BENCH_CELL_S, or 60]"
    )
    options = parser.parse_args()
    print(f"{2 * ROUNDS} cells of {options.seconds:.0f} s each", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.toml").write_text(script(options.seconds))
        server = ModelServer([load_script(folder / "script.toml")])
        server.start()
        try:
            pairs = [
                (bare_agent(server.url, folder / f"bare-{n}"), recorded_agent(server.url, folder / f"cell-{n}"))
                for n in range(ROUNDS)
            ]
        finally:
            server.stop()
    row("bare agent, wall", f"{statistics.median(a for a, _ in pairs):.3f} s")
    row("the same agent recorded (container span), wall", f"{statistics.median(b for _, b in pairs):.3f} s")
    added = statistics.median((b / a - 1) * 100 for a, b in pairs)
    row("added by recording", f"{added:.2f} %", "goal <= 1 %")


if __name__ == "__main__":
    main()
