"""The columns of a terminal recording in `index.sqlite`, so that a long one is not read through each time it is opened."""

from __future__ import annotations

import sys
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson

from cabtrace.limits import MIB
from cabtrace.store import layout
from cabtrace.store.cast import CastHeader, CastReader
from cabtrace.store.cast_log import CastLog, Columns
from cabtrace.store.index import fingerprint
from cabtrace.store.index_seal import load_sealed, save_sealed

INDEXED_BYTES: Final = 4 * MIB  # below, reading is faster than asking
PART: Final = "terminal"
_VERSION: Final = 1
_MOST_BAD_LINES: Final = 100_000


def cast_fingerprint(run_dir: Path, version: int) -> str:
    """What the recording is, as this machine writes numbers."""
    return f"{fingerprint(run_dir, (layout.TERMINAL,), version)} {sys.byteorder}"


def worth_indexing(run_dir: Path) -> bool:
    """Whether the recording is long enough."""
    try:
        return (run_dir / layout.TERMINAL).stat().st_size >= INDEXED_BYTES
    except OSError:
        return False


def load_columns(log: CastLog) -> bool:
    """Fills a fresh log from the run's index; False, and nothing changed, where that is not to be had."""
    run_dir = log.path.parent
    blobs = load_sealed(run_dir, PART, cast_fingerprint(run_dir, _VERSION)) if worth_indexing(run_dir) else None
    if blobs is None:
        return False
    try:
        state = orjson.loads(blobs["state"])
        columns = Columns(*(_column(kind, blobs[name]) for name, kind in _COLUMNS))
        reader = CastReader(CastHeader(**state["header"]), state["bad_lines"], state["line"], state["time_s"])
        log.file.resume(state["offset"], state["count"])
        log.file.long_lines = state["long_lines"]
    except (KeyError, TypeError, ValueError, OSError):
        return False
    log.columns, log.reader = columns, reader
    return True


def save_columns(log: CastLog) -> bool:
    """Keeps the columns of a recording that is not being written; False where that is not possible, or not worth it."""
    run_dir, file, reader = log.path.parent, log.file, log.reader
    if reader.header is None or not worth_indexing(run_dir) or len(reader.bad_lines) + len(file.long_lines) > _MOST_BAD_LINES:
        return False
    sources = cast_fingerprint(run_dir, _VERSION)
    if log.refresh():
        return False  # it is being written after all
    state = {
        "header": asdict(reader.header),
        "bad_lines": reader.bad_lines,
        "line": reader.line,
        "time_s": reader.time_s,
        "offset": file.offset,
        "count": file.count,
        "long_lines": file.long_lines,
    }
    try:
        blobs = {"state": orjson.dumps(state)} | {name: getattr(log.columns, name).tobytes() for name, _ in _COLUMNS}
    except (TypeError, ValueError):
        return False  # the header holds what JSON cannot
    return save_sealed(run_dir, PART, sources, blobs)


_COLUMNS: Final = (("times_ns", "q"), ("firsts", "q"), ("starts", "q"), ("lines", "q"), ("clocks_s", "d"))


def _column(kind: str, data: bytes) -> array:  # type: ignore[type-arg]  # of int or float, as `kind` says
    column = array(kind)
    column.frombytes(data)
    return column
