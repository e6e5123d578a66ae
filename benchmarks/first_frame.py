"""First frame of the replay: wall time from starting Python to the first painted frame in a pseudo-terminal.

    python benchmarks/first_frame.py [--runs 10] [--run RUN_DIRECTORY] [-- COMMAND ...]

The frame counts as painted when the header's verdict word is on the terminal. Beside it, in turn, a Textual app that shows a
word. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks._bare_app import BARE_APP, BARE_WORD  # noqa: E402
from benchmarks._terminal import Terminal  # noqa: E402 - run as a file, the repository is not on the path
from benchmarks._timing import row  # noqa: E402

GOAL_S = 0.5
_TIMEOUT_S = 20.0
_ENTRY = "import sys, pathlib; from replay.start import run_app; sys.exit(run_app(*map(pathlib.Path, sys.argv[1:])))"
_VERDICTS = (b"FAIL", b"PASS", b"ERROR")


def first_frame_s(argv: list[str], words: tuple[bytes, ...] = _VERDICTS) -> tuple[float, float]:
    """Seconds until anything is painted, and until one of the words is. Raises TimeoutError."""
    with Terminal(argv, env={"PYTHONPATH": str(ROOT)}) as terminal:
        shown_s = terminal.until(*words, timeout_s=_TIMEOUT_S)
        return terminal.painted_s or shown_s, shown_s


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--run", type=Path)
    parser.add_argument("command", nargs="*", help="instead of the replay's own entry, e.g. cabtrace replay RUN")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = options.run
        if run is None:
            from tests.support.sample_run import build_sample_run

            run = build_sample_run(Path(scratch))
        argv = options.command or [sys.executable, "-c", _ENTRY, str(run.parent), str(run)]
        bare_argv = [sys.executable, "-c", BARE_APP]
        first_frame_s(argv)  # byte code and page cache
        painted, times, bare = [], [], []
        for _ in range(options.runs):
            painted_s, shown_s = first_frame_s(argv)
            painted.append(painted_s)
            times.append(shown_s)
            bare.append(first_frame_s(bare_argv, (BARE_WORD,))[1])
    median, bare_s = statistics.median(times), statistics.median(bare)
    row("first paint of the replay", f"{statistics.median(painted):.3f} s")
    row("first frame of the replay", f"{median:.3f} s", f"goal <= {GOAL_S} s")
    row("first frame of a Textual app that shows a word", f"{bare_s:.3f} s")
    row("ratio", f"{median / bare_s:.2f} x")
    result = {"min_s": round(min(times), 3), "median_s": round(median, 3), "max_s": round(max(times), 3), "goal_s": GOAL_S}
    print(json.dumps({"benchmark": "first_frame", **result, "bare_s": round(bare_s, 3), "ok": median <= GOAL_S}))


if __name__ == "__main__":
    main()
