"""Run as the process that starts terminal engines (`EngineHost`): the real engine, with nothing kept away that it does not survive."""

from __future__ import annotations

from replay import engine_child, ghostty

#: Output and a size after which version 0.1.3 ends with a segmentation fault at `DEADLY_NEXT`, if it may have a single row.
DEADLY_FIRST = ("e" + "\u0301" * 40) * 60
DEADLY_SIZE = (500, 1)
DEADLY_NEXT = "x\n" * 3_000

if __name__ == "__main__":
    ghostty._LEAST_ROWS = 1  # in this process only
    engine_child.main()
