"""`cabtrace import otlp` of one trajectory, beside nothing but parsing the same file: processor time and peak memory."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks._timing import PYTHON, percentile, row
from benchmarks._trajectory import write_otlp

SPANS, MANY_SPANS = 20_001, 100_001
ROUNDS = 3
GOAL_RATIO = 25
# A key of this machine's environment is looked for as well, in all its forms, as it would be on anyone's.
ENVIRONMENT = {"BENCHMARK_API_KEY": "q7Zr-not-a-key-Kp42"}

TOLD = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]  # ru_maxrss would be the parent's
print(used.ru_utime + used.ru_stime, int(peak.split()[1]) / 1024)
"""
IMPORT = f"""
import contextlib, io, sys
from cabtrace.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    assert not main(["import", "otlp", sys.argv[1], "--store", sys.argv[2]])
{TOLD}
"""
BARE = f"""
import sys
import orjson
for line in open(sys.argv[1], "rb"):
    orjson.loads(line)
{TOLD}
"""


def child(program: str, *arguments: str) -> tuple[float, float]:
    """Seconds of processor time and MiB at the peak."""
    done = subprocess.run(
        [PYTHON, "-c", program, *arguments], check=True, capture_output=True, text=True, env={**os.environ, **ENVIRONMENT}
    )
    cpu_s, peak_mib = map(float, done.stdout.split())
    return cpu_s, peak_mib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=SPANS, help="spans imported")
    parser.add_argument("--many", type=int, default=MANY_SPANS, help="spans of the memory test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count, rounds in ((options.spans, ROUNDS), (options.many, 1)):
            file = folder / f"{count}.jsonl"
            spans = write_otlp(file, count // 2)
            ours, bare = [], []
            for turn in range(rounds):  # in turn, so that a drifting machine harms both alike
                ours.append(child(IMPORT, str(file), str(folder / f"store-{count}-{turn}")))
                bare.append(child(BARE, str(file)))
            cpu_s, peak_mib = (percentile(figures, 0.5) for figures in zip(*ours, strict=True))
            bare_s, bare_mib = (percentile(figures, 0.5) for figures in zip(*bare, strict=True))
            size = f"{file.stat().st_size / 1e6:,.0f} MB"
            row(f"{spans:,} spans imported, {size}", f"{cpu_s:.2f} s CPU", f"{cpu_s / spans * 1e6:,.0f} us a span")
            row("  the same file only parsed (orjson)", f"{bare_s:.2f} s CPU")
            row("  ratio", f"{cpu_s / bare_s:.1f} x", f"goal <= {GOAL_RATIO} x")
            row("  peak memory", f"{peak_mib:.0f} MiB", f"goal <= 100 MiB, flat; only parsed {bare_mib:.0f} MiB")


if __name__ == "__main__":
    main()
