"""Places in a run that the user marked, with a note; kept beside the run in bookmarks.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from cabtrace.errors import StoreError
from cabtrace.store.files import Files, replace_file
from cabtrace.store.lines import read_regular

NAME = "bookmarks.json"
MOST = 1_000
NOTE_CHARS = 500
_FILE_BYTES = 1024 * 1024
_VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Bookmark:
    """`time_ns` is Unix time, so that it stays where it is when the run turns out to have begun earlier. `note` is hostile."""

    time_ns: int
    note: str


def read_bookmarks(run: Path) -> tuple[Bookmark, ...]:
    """By time; none where there is no file or not one of ours."""
    try:
        raw = orjson.loads(read_regular(run / NAME, _FILE_BYTES))
        found = [
            Bookmark(entry["time_unix_nano"], entry["note"][:NOTE_CHARS])
            for entry in raw["bookmarks"]
            if isinstance(entry["time_unix_nano"], int) and isinstance(entry["note"], str)
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(sorted(found)[:MOST])


def write_bookmarks(run: Path, bookmarks: Sequence[Bookmark]) -> None:
    """Replaces the file atomically; only its owner can read it. Raises StoreError."""
    entries = [{"time_unix_nano": mark.time_ns, "note": mark.note} for mark in sorted(bookmarks)]
    data = orjson.dumps({"format": "cabtrace.bookmarks", "version": _VERSION, "bookmarks": entries}, option=orjson.OPT_INDENT_2)
    try:
        replace_file(Files(), run / NAME, data + b"\n")
    except OSError as error:
        raise StoreError(f"The bookmark could not be kept in {run / NAME}: {error.strerror or error}.") from error


def with_bookmark(bookmarks: Sequence[Bookmark], time_ns: int, note: str) -> tuple[Bookmark, ...]:
    """With one more, or another note for the one of that instant; an empty note takes that away. Raises StoreError when full."""
    others = [mark for mark in bookmarks if mark.time_ns != time_ns]
    if len(others) < len(bookmarks) and not note:
        return tuple(others)
    if len(others) >= MOST:
        raise StoreError(f"A run holds at most {MOST:,} bookmarks.", hint="m with an empty note takes one away.")
    return tuple(sorted([*others, Bookmark(time_ns, note[:NOTE_CHARS])]))
