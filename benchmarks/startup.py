"""Imports and help, beside a bare interpreter."""

from __future__ import annotations

from benchmarks._timing import PYTHON, row, wall_ms


def main() -> None:
    bare = wall_ms([PYTHON, "-c", "pass"])
    row("python -c pass", f"{bare:.0f} ms")
    row("import cabtrace", f"{wall_ms([PYTHON, '-c', 'import cabtrace']):.0f} ms", "goal <= 100 ms")
    row("cabtrace --help", f"{wall_ms([PYTHON, '-m', 'cabtrace', '--help']):.0f} ms", "goal <= 200 ms")
    row("cabtrace run --help", f"{wall_ms([PYTHON, '-m', 'cabtrace', 'run', '--help']):.0f} ms")


if __name__ == "__main__":
    main()
