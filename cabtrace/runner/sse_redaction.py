"""Secrets that a streamed answer is split over: each event holds a few characters, so no look at the bytes finds them.

The pieces of each text of the answer are followed across events. An event that may hold the beginning of a secret waits
until that is decided; what is decided is written as it came, or with its pieces replaced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from cabtrace.redact import Redactor, StreamRedactor

# What the four APIs call the texts that they send in pieces.
_SPOKEN: Final = frozenset(
    (
        "content",
        "text",
        "arguments",
        "partial_json",
        "delta",
        "thinking",
        "reasoning",
        "reasoning_content",
        "refusal",
        "input",
        "output",
    )
)
_PLACES: Final = ("type", "index", "output_index", "content_index", "summary_index")
_MOST_LEVELS: Final = 12
_LINE_CHARS: Final = 1024 * 1024

_Key = tuple[Any, ...]


@dataclass(slots=True)
class _Piece:
    """One string of an event: where it stands, and the text that it belongs to."""

    holder: Any  # dict or list
    place: str
    key: _Key
    text: str


@dataclass(slots=True)
class _Line:
    number: int
    time_ns: int
    text: str
    document: Any
    pieces: list[_Piece]


class SseRedactor:
    """Takes the text of one answer as it comes; gives back (time, text), in order, when nothing in it is undecided."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._streams: dict[_Key, StreamRedactor] = {}
        self._clean: dict[tuple[_Key, int], str] = {}
        self._waiting: deque[_Line] = deque()
        self._rest = ""
        self._number = 0

    def feed(self, time_ns: int, text: str) -> list[tuple[int, str]]:
        """Takes what arrived at `time_ns`."""
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > _LINE_CHARS:  # no event is as long as this
            lines, self._rest = [*lines, self._rest], ""
            return self._take(time_ns, lines, last_is_whole=False)
        return self._take(time_ns, lines, last_is_whole=True)

    def close(self, time_ns: int) -> list[tuple[int, str]]:
        """What was held back."""
        out = self._take(time_ns, [self._rest], last_is_whole=False) if self._rest else []
        self._rest = ""
        for key, stream in self._streams.items():
            self._keep(key, stream.close())
        return [*out, *((line.time_ns, self._finished(line)) for line in self._waiting)]

    def _take(self, time_ns: int, lines: list[str], *, last_is_whole: bool) -> list[tuple[int, str]]:
        for at, text in enumerate(lines, 1):
            self._number += 1
            line = _parse(self._number, time_ns, text + ("\n" if last_is_whole or at < len(lines) else ""))
            for piece in line.pieces:
                stream = self._streams.get(piece.key)
                if stream is None:
                    stream = self._streams[piece.key] = self._redactor.stream()
                self._keep(piece.key, stream.feed(line.number, piece.text))
            self._waiting.append(line)
        out = []
        while self._waiting and self._decided(self._waiting[0]):
            line = self._waiting.popleft()
            out.append((line.time_ns, self._finished(line)))
        return out

    def _keep(self, key: _Key, cleaned: list[tuple[int, str]]) -> None:
        for number, text in cleaned:
            self._clean[key, number] = self._clean.get((key, number), "") + text

    def _decided(self, line: _Line) -> bool:
        for piece in line.pieces:
            since = self._streams[piece.key].held_since
            if since is not None and since <= line.number:
                return False
        return True

    def _finished(self, line: _Line) -> str:
        changed = False
        for piece in line.pieces:
            clean = self._clean.pop((piece.key, line.number), "")
            if clean != piece.text:
                piece.holder[piece.place] = clean
                changed = True
        if not changed:
            return line.text
        body = orjson.dumps(line.document).decode()
        ending = line.text[len(line.text.rstrip("\r\n")) :]
        return f"data: {body}{ending}"


def _parse(number: int, time_ns: int, text: str) -> _Line:
    document: Any = None
    if text.startswith("data:"):
        try:
            document = orjson.loads(text[5:].encode("utf-8", "replace"))
        except orjson.JSONDecodeError:
            document = None
    pieces: list[_Piece] = []
    if isinstance(document, dict):
        place = tuple(document.get(name) for name in _PLACES if isinstance(document.get(name), str | int))
        taken: set[_Key] = set()
        for piece in _spoken(document, place, 0):
            while piece.key in taken:
                piece.key = (*piece.key, "again")
            taken.add(piece.key)
            pieces.append(piece)
    return _Line(number, time_ns, text, document, pieces)


def _spoken(value: Any, path: _Key, level: int) -> Iterator[_Piece]:
    if level > _MOST_LEVELS:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str):
                if item and name in _SPOKEN:
                    yield _Piece(value, name, (*path, name), item)
            else:
                yield from _spoken(item, (*path, name), level + 1)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            index = item.get("index") if isinstance(item, dict) else None
            yield from _spoken(item, (*path, index if isinstance(index, int) else at), level + 1)
