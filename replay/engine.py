"""Chooses the screen engine, and the one that needs nothing: the end of the output as plain text."""

from __future__ import annotations

from contextlib import suppress

from cabtrace.protocols import Run, ScreenEngine
from cabtrace.store.plaintext import plain_text
from cabtrace.text import safe

_KEPT_CHARS = 64 * 1024
NO_ENGINE = (
    "No terminal engine on this platform: the end of the output is shown as plain text (pip install 'cabtrace[terminal]')."
)


class PlainEngine:
    """A `ScreenEngine` without a terminal: the last lines of what was written, no colours, no cursor."""

    name = "plain text"

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self.resize(columns, rows)
        self._tail = b""

    def feed(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-_KEPT_CHARS:]

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = min(max(columns, 1), 500), min(max(rows, 1), 300)

    def screen(self) -> list[tuple[Run, ...]]:
        lines = plain_text(self._tail.decode("utf-8", "replace")).rstrip("\n").split("\n")
        rows: list[tuple[Run, ...]] = [
            (Run(safe(line.expandtabs(8)[: self.columns], newlines=False)),) for line in lines[-self.rows :]
        ]
        return rows + [()] * (self.rows - len(rows))

    def text(self) -> str:
        return "\n".join("".join(run.text for run in row) for row in self.screen())

    def cursor(self) -> tuple[int, int] | None:
        return None

    def snapshot(self) -> bytes:
        return b"%d %d " % (self.columns, self.rows) + self._tail

    def restore(self, data: bytes) -> None:
        if not data:
            self._tail = b""
            return
        columns, rows, tail = data.split(b" ", 2)
        self.resize(int(columns), int(rows))
        self._tail = tail


def make_engine(columns: int = 80, rows: int = 24) -> tuple[ScreenEngine, str]:
    """The best engine here, ready, and a sentence for the user when it is not a real one ("" otherwise)."""
    from replay.engine_answers import EngineEndedError
    from replay.engine_remote import RemoteEngine

    with suppress(OSError, EngineEndedError):  # no process, no library in it, or another ABI
        engine = new_engine(columns, rows)
        if isinstance(engine, RemoteEngine):
            engine.settle()
            return engine, ""
    return PlainEngine(columns, rows), NO_ENGINE


def new_engine(columns: int, rows: int) -> ScreenEngine:
    """What should be the best engine here, while it is being loaded. Raises OSError where its process cannot be started."""
    if not _has_engine():
        return PlainEngine(columns, rows)
    from replay.engine_remote import RemoteEngine

    return RemoteEngine(columns, rows)


def engine_version() -> str:
    """Which engine makes snapshots here, for the one that shall take them back; "" where there is none but plain text."""
    if not _has_engine():
        return ""
    from importlib.metadata import version
    from platform import machine

    return f"pyghostty {version('pyghostty')} {machine()}"


def _has_engine() -> bool:
    from importlib.util import find_spec

    return find_spec("pyghostty") is not None
