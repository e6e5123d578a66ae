"""First frame of the replay: wall time from starting Python to the first painted frame in a pseudo-terminal.

    python benchmarks/first_frame.py [--runs 10] [--run RUN_DIRECTORY] [-- COMMAND ...]

Prints one JSON line. The frame counts as painted when the header's verdict word is on the terminal. Goal: 0.7 s.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOAL_S = 0.7
_ENTRY = "import sys, pathlib; from replay.start import run_app; sys.exit(run_app(*map(pathlib.Path, sys.argv[1:])))"


def first_frame_s(argv: list[str], columns: int = 120, rows: int = 40, timeout_s: float = 20.0) -> float:
    """Seconds until the verdict is painted. Raises TimeoutError."""
    begin = time.perf_counter()
    child, master = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        os.execvp(argv[0], argv)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = b""
    try:
        while time.perf_counter() - begin < timeout_s:
            ready, _, _ = select.select([master], [], [], 0.05)
            if ready:
                seen += os.read(master, 65536)
                if any(word in seen for word in (b"FAIL", b"PASS", b"ERROR")):
                    return time.perf_counter() - begin
        raise TimeoutError(f"no frame within {timeout_s} s: {seen[-500:]!r}")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(master)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--run", type=Path)
    parser.add_argument("command", nargs="*", help="instead of the replay's own entry, e.g. cabtrace replay RUN")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = options.run
        if run is None:
            sys.path.insert(0, str(ROOT))
            from tests.support.sample_run import build_sample_run

            run = build_sample_run(Path(scratch))
        argv = options.command or [sys.executable, "-c", _ENTRY, str(run.parent), str(run)]
        first_frame_s(argv)  # byte code and page cache
        times = sorted(first_frame_s(argv) for _ in range(options.runs))
    median = statistics.median(times)
    result = {"min_s": round(times[0], 3), "median_s": round(median, 3), "max_s": round(times[-1], 3), "goal_s": GOAL_S}
    print(json.dumps({"benchmark": "first_frame", **result, "ok": median <= GOAL_S}))


if __name__ == "__main__":
    main()
