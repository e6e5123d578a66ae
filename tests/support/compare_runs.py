"""Two runs of one task that part at their fourth model call: one fails, the other passes in a call less."""

from __future__ import annotations

from pathlib import Path

from tests.support.sample_run import build_sample_run
from tests.support.sample_text import TURNS, Turn

_ALL_OK = "\r\n".join(
    [
        "running 5 tests",
        *(f"test tests::{name} ... \x1b[32mok\x1b[0m" for name in ("happy_path", "negative_numbers", "empty", "bad_input")),
        "",
        "test result: \x1b[32mok\x1b[0m. 5 passed; 0 failed; 0 ignored; finished in 0.00s\r\n",
    ]
)
OTHER_TURNS = (
    *TURNS[:3],
    Turn(
        "I name the error, keep the position of the bad value, and write the whole file.",
        "cat > src/lib.rs <<'EOF'\npub struct BadNumber { pub at: usize }\nEOF\ncargo test",
        _ALL_OK,
        2_215,
        611,
        5_600,
        1_900,
    ),
    Turn("All five tests pass. \x1b[1mDone.\x1b[0m", "", "", 2_940, 41, 1_100),
)


def build_pair(store: Path) -> tuple[Path, Path]:
    """The failing run and the passing one."""
    return build_sample_run(store), build_sample_run(store, failing=False, turns=OTHER_TURNS)
