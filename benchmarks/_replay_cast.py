"""A long terminal recording: opening it, and seeking to 50 %, 90 % and back, until nothing more is painted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks._big_runs import close_run, new_run
from benchmarks._table import OURS
from benchmarks._terminal import Terminal
from benchmarks._timing import PYTHON
from tests.support.casts import write_cast

SHARES = (0.5, 0.9, 0.5)
_SEED, _COLUMNS, _ROWS = 20_260_618, 100, 30
_TOLERANCE = 0.03  # of the whole: a bar has so many cells
_OUR_BAR = re.compile(r"× +([━●─]+)")
_BAR_COLUMN = 18  # where theirs begins, beside the button and the time
_SPEED_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Player:
    """A program that plays a recording. `seek` is what a user types or clicks for a share; `share` reads it off the screen."""

    name: str
    argv: list[str]
    seek: Callable[[str, float], bytes]
    share: Callable[[str], float | None]
    env: Mapping[str, str] | None = None


def build(store: Path, size_bytes: int) -> Path:
    """A run that has a terminal recording of that size and nothing else."""
    writer = new_run(store, "recording")
    path = writer.path / "terminal.cast"
    write_cast(path, size_bytes, seed=_SEED, columns=_COLUMNS, rows=_ROWS)
    with path.open("rb") as read:
        read.seek(-min(path.stat().st_size, 65_536), 2)
        last = read.read().splitlines()[-1]
    close_run(writer, float(last[1:].split(b",")[0]))
    return writer.path


def ours(run: Path, store: Path) -> Player:
    def share(screen: str) -> float | None:
        bar = _OUR_BAR.search(screen)
        return bar.group(1).index("●") / len(bar.group(1)) if bar and "●" in bar.group(1) else None

    argv = [PYTHON, "-m", "cabtrace", "replay", "--store", str(store), str(run)]
    return Player(OURS, argv, lambda _, wanted: str(round(wanted * 10)).encode(), share)


def textual_asciinema(program: str, recording: Path, env: Mapping[str, str]) -> Player:
    def place(screen: str) -> tuple[int, int, int] | None:
        """Row, first column and width of its bar, from 0."""
        for row, line in enumerate(screen.splitlines()):
            if line.startswith((" ▶ ", " ⏸ ")) and line.rstrip().endswith("x"):
                return row, _BAR_COLUMN, len(line.rstrip()) - _SPEED_COLUMNS - _BAR_COLUMN
        return None

    def seek(screen: str, wanted: float) -> bytes:
        row, column, width = place(screen) or (0, 0, 0)
        spot = f"{column + round(wanted * width) + 1};{row + 1}"
        return f"\x1b[<0;{spot}M\x1b[<0;{spot}m".encode()

    def share(screen: str) -> float | None:
        found = place(screen)
        return screen.splitlines()[found[0]].count("█") / found[2] if found else None

    return Player("textual-asciinema", [program, str(recording)], seek, share, env)


def measure_unindexed(player: Player, run: Path, timeout_s: float, add: Callable[[str, float | str, str, str], None]) -> None:
    """The first opening, which leaves an index behind if the run is worth one. Raises TimeoutError."""
    index = run / "index.sqlite"
    index.unlink(missing_ok=True)
    with Terminal(player.argv, env=player.env, watched=True) as terminal:
        opened_s = terminal.until_screen(lambda text: player.share(text) is not None, timeout_s=timeout_s)
        add("recording, not indexed: first paint", terminal.painted_s or opened_s, "s", "<= 60 s")
        add("recording, not indexed: opened, its bar shown", opened_s, "s", "<= 60 s")
        terminal.rest(timeout_s)
        add("recording, not indexed: until all is read, processor", terminal.cpu_s(), "s", "")
        add("recording, not indexed: resident at most", terminal.memory_mb()[1], "MB", "")
    kept = index.stat().st_size / 1e6 if index.exists() else "none, so small is it"
    add("recording, not indexed: index kept for the next time", kept, "MB", "")


def measure(player: Player, timeout_s: float, add: Callable[[str, float | str, str, str], None]) -> None:
    """Opens and seeks. Raises TimeoutError."""
    with Terminal(player.argv, env=player.env, watched=True) as terminal:
        opened_s = terminal.until_screen(lambda text: player.share(text) is not None, timeout_s=timeout_s)
        add("recording: first paint", terminal.painted_s or opened_s, "s", "<= 1 s")
        add("recording: opened, its bar shown", opened_s, "s", "")
        terminal.rest(timeout_s)
        for number, wanted in enumerate(SHARES):
            back = "back to " if number and wanted < SHARES[number - 1] else ""
            cpu_s = terminal.cpu_s()
            terminal.send(player.seek(terminal.text(), wanted))
            took_s = terminal.until_screen(partial(_near, player, wanted), timeout_s=timeout_s)
            add(f"recording: seek {back}{wanted:.0%}, wall", took_s * 1e3, "ms", "<= 50 ms")
            add(f"recording: seek {back}{wanted:.0%}, processor", (terminal.cpu_s() - cpu_s) * 1e3, "ms", "")
        add("recording: resident afterwards", terminal.memory_mb()[0], "MB", "")


def _near(player: Player, wanted: float, screen: str) -> bool:
    share = player.share(screen)
    return share is not None and abs(share - wanted) <= _TOLERANCE
