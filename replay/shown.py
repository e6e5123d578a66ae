"""Every line that was on the terminal's screen, once each time it appeared, with the instant: what `/` looks through. Bounded."""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cabtrace.limits import MIB
from cabtrace.text import safe

_PIECE_CHARS: Final = 256 * 1024
_MOST_CHARS: Final = 192 * MIB
_MOST_PACKED_BYTES: Final = 16 * MIB
_MOST_RECENT: Final = 32 * 1024
_LINE_CHARS: Final = 4096
# What the screen leaves out of a cell, too: joiners and the selectors of how a character is drawn.
_UNDRAWN: Final = re.compile("[\u200d\ufe00-\ufe0f]")
# Letters that match an ASCII letter when case does not count, yet are not ASCII nor become so in lower case.
_FOLDING: Final = "\u017f\u0130\u0131\u212a"


@dataclass(slots=True)
class _Piece:
    text: bytes  # lines, packed
    times: bytes  # an instant a line, then how much of each line was there before; packed


@dataclass(slots=True)
class ShownText:
    """Times are those of the recording. `full`: what came later was not kept."""

    full: bool = False
    _pieces: list[_Piece] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _times: array[int] = field(default_factory=lambda: array("q"))
    _grown: array[int] = field(default_factory=lambda: array("q"))
    _rows: list[str] = field(default_factory=list)
    _open_chars: int = 0
    _chars: int = 0
    _packed_bytes: int = 0
    _young: set[int] = field(default_factory=set)
    _old: set[int] = field(default_factory=set)

    def add(self, time_ns: int, screen: str) -> None:
        """Takes in the text of a screen: of its lines those that have not been there for a while."""
        before, self._rows = self._rows, screen.split("\n")
        for row, line in enumerate(self._rows):
            key = hash(line)
            if key in self._young:
                continue
            known = key in self._old
            if len(self._young) >= _MOST_RECENT:
                self._old, self._young = self._young, set()
            self._young.add(key)
            if not (known or self.full or not line or line.isspace()):
                # a line that is being written: scrolled at most a little since
                began = next((b for b in before[row : row + 3] if b and line.startswith(b)), "")
                self._keep(time_ns, _drawn(line), len(_drawn(began)))

    def _keep(self, time_ns: int, line: str, grown: int) -> None:
        self._lines.append(line)
        self._grown.append(grown)
        self._times.append(time_ns)
        self._open_chars += len(line) + 1
        if self._open_chars >= _PIECE_CHARS:
            self.pack()

    def pack(self) -> None:
        """Packs what came last."""
        if not self._lines:
            return
        piece = _Piece(_packed(self._lines), zlib.compress(self._times.tobytes() + self._grown.tobytes()))
        self._pieces.append(piece)
        self._chars += self._open_chars
        self._packed_bytes += len(piece.text) + len(piece.times)
        self._lines, self._times, self._grown, self._open_chars = [], array("q"), array("q"), 0
        self.full = self._chars > _MOST_CHARS or self._packed_bytes > _MOST_PACKED_BYTES

    def find(self, query: str) -> Iterator[tuple[int, str, re.Match[str]]]:
        """Every place of the words, whatever their case, in order of time: when, the text that holds it, where in that.

        A line that grew counts for what came to it.
        """
        needle = re.compile(re.escape(query), re.IGNORECASE)
        lowered = query.lower()
        for text, times, grown in self._unpacked():
            if query.isascii() and lowered not in text.lower() and not any(letter in text for letter in _FOLDING):
                continue  # a regular expression that takes no notice of case is fifty times slower
            line = counted = 0
            for match in needle.finditer(text):
                line += text.count("\n", counted, match.start())
                counted = match.start()
                if match.end() - text.rfind("\n", 0, counted) - 1 > grown[line]:
                    yield times[line], text, match

    def _unpacked(self) -> Iterator[tuple[str, Sequence[int], Sequence[int]]]:
        for piece in [*self._pieces]:
            numbers = array("q")
            numbers.frombytes(zlib.decompress(piece.times))
            half = len(numbers) // 2
            yield zlib.decompress(piece.text).decode("utf-8", "replace"), numbers[:half], numbers[half:]
        lines, times, grown = self._lines, self._times, self._grown
        if lines:
            yield "\n".join(lines[: len(times)]), times, grown

    def dump(self) -> dict[str, bytes]:
        """All of it, for `load` of the same version."""
        self.pack()
        blobs = {"full": b"1" if self.full else b""}
        for number, piece in enumerate(self._pieces):
            blobs |= {f"text {number}": piece.text, f"times {number}": piece.times}
        return blobs

    @classmethod
    def load(cls, blobs: dict[str, bytes]) -> ShownText:
        """What `dump` gave. Raises KeyError where a part is missing."""
        numbers = range(sum(name.startswith("text ") for name in blobs))
        pieces = [_Piece(blobs[f"text {n}"], blobs[f"times {n}"]) for n in numbers]
        return cls(full=bool(blobs["full"]), _pieces=pieces)


def _drawn(line: str) -> str:
    return safe(_UNDRAWN.sub("", line.strip()), max_chars=_LINE_CHARS, newlines=False)


def _packed(lines: Sequence[str]) -> bytes:
    return zlib.compress("\n".join(lines).encode("utf-8", "replace"))
