"""What is said between the replay and the process of its terminal engine. Pure; nothing that comes back is believed.

Either side sends frames: one byte that says what it is, four that say how long, the payload. Every question has one answer of
the same kind, in order; `FEED`, `RESIZE` and `RESTORE` have none. No part of an answer is ever run, and text is made safe again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cabtrace.limits import MIB
from cabtrace.protocols import Run
from cabtrace.text import safe

START, FEED, RESIZE, RESTORE, SCREEN, TEXT, STATE, SNAPSHOT = range(1, 9)
HEADER: Final = struct.Struct("<BI")
SIZE: Final = struct.Struct("<qq")
ORDER: Final = struct.Struct("<BI")  # to the process that starts engines: what to do, the engine's number
FORK, KILL = range(1, 3)
ENDED: Final = struct.Struct("<Ii")  # from it: number, exit code or minus the signal
_STATE: Final = struct.Struct("<HHhh")  # columns, rows, column and row of the cursor or -1
#: How long an answer may be.
LONGEST: Final = {START: 1, SCREEN: 16 * MIB, TEXT: 16 * MIB, STATE: _STATE.size, SNAPSHOT: 64 * MIB}
STARTED: Final = b"\x01"  # the answer to `START` of a process that has an engine
_MOST_COLUMNS, _MOST_ROWS, _MOST_PER_CELL = 500, 300, 16
_FLAGS: Final = 6  # bold, dim, italic, underline, reverse, strike
_STYLES: Final = tuple(tuple(bool(flags >> place & 1) for place in range(_FLAGS)) for flags in range(1 << _FLAGS))

Rows = list[tuple[Run, ...]]


@dataclass(frozen=True, slots=True)
class State:
    """Size, and the cursor's column and row; None while it is hidden."""

    columns: int
    rows: int
    cursor: tuple[int, int] | None


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A message as it is sent."""
    return HEADER.pack(kind, len(payload)) + payload


def encode_state(state: State) -> bytes:
    """For `decode_state`."""
    return _STATE.pack(state.columns, state.rows, *(state.cursor or (-1, -1)))


def decode_state(payload: bytes) -> State:
    """Raises ValueError where that is no state of a terminal."""
    if len(payload) != _STATE.size:
        raise ValueError("a state of another length")
    columns, rows, x, y = _STATE.unpack(payload)
    if not (0 < columns <= _MOST_COLUMNS and 0 < rows <= _MOST_ROWS and -1 <= x < columns and -1 <= y < rows):
        raise ValueError("a state that no terminal has")
    return State(columns, rows, None if x < 0 or y < 0 else (x, y))


class ScreenEncoder:
    """Screens as what changed since the last one."""

    def __init__(self) -> None:
        self._rows: Rows = []
        self._sent: list[bytes] = []

    def encode(self, state: State, rows: Rows) -> bytes:
        """All of the state, and the rows that are not as they were sent before; null for the others."""
        known, sent = (self._rows, self._sent) if len(self._rows) == len(rows) else ([None] * len(rows), [b""] * len(rows))
        parts = [b"null"] * len(rows)
        for y, row in enumerate(rows):
            if row is not known[y] and (packed := orjson.dumps([_pack(run) for run in row])) != sent[y]:
                parts[y] = sent[y] = packed
        self._rows, self._sent = rows, sent
        return encode_state(state) + b"[" + b",".join(parts) + b"]"


def decode_screen(payload: bytes, before: Rows) -> tuple[State, Rows]:
    """State and rows, those that did not change being the ones of `before`. Raises ValueError for what is no screen."""
    state = decode_state(payload[: _STATE.size])
    packed, cells = payload[_STATE.size :], state.columns * state.rows
    # a list takes forty times the memory that it takes to write: no more of them than cells, which may hold the same signs
    if packed.count(b"[") > 2 * cells + state.rows + 1 or packed.count(b",") > 5 * cells + state.rows:
        raise ValueError("a screen of more than its cells")
    found = orjson.loads(packed)
    if not isinstance(found, list) or len(found) != state.rows:
        raise ValueError("a screen of other rows than it says")
    rows: Rows = []
    for y, row in enumerate(found):
        if row is not None:
            rows.append(_row(row, state.columns))
        elif y < len(before):
            rows.append(before[y])
        else:
            raise ValueError("a row that was never sent")
    return state, rows


def _pack(run: Run) -> object:
    flags = run.bold | run.dim << 1 | run.italic << 2 | run.underline << 3 | run.reverse << 4 | run.strike << 5
    if not flags and run.foreground is None and run.background is None:
        return run.text
    return run.text, run.foreground, run.background, flags


def _row(row: Any, columns: int) -> tuple[Run, ...]:
    if not isinstance(row, list) or len(row) > columns:
        raise ValueError("a row that is none")
    runs = tuple(Run(safe(item, newlines=False)) if type(item) is str else _styled(item) for item in row)
    if sum(len(run.text) for run in runs) > columns * _MOST_PER_CELL:
        raise ValueError("a row that is too long")
    return runs


def _styled(item: Any) -> Run:
    if type(item) is not list or len(item) != 4:
        raise ValueError("a run that is none")
    text, foreground, background, flags = item
    if type(text) is not str or type(flags) is not int or not 0 <= flags < len(_STYLES):
        raise ValueError("a run that is none")
    return Run(safe(text, newlines=False), _color(foreground), _color(background), *_STYLES[flags])


def _color(value: Any) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= 0xFFFFFF):
        return value
    raise ValueError("a colour that is none")
