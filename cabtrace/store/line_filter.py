"""Which lines of a JSON Lines file may hold some words, found in its raw bytes: of a large file only few lines need be parsed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cabtrace.limits import DEFAULT

_BLOCK_BYTES: Final = 4 * 1024 * 1024
_WORDS = re.compile(rb"[a-z0-9_]+")
_NUMBER_LIKE = re.compile(rb"[0-9e]+|inf|nan")
# What is said of a span and not recorded in these words, or in letters that are the same ones but for their case.
_MADE: Final = (b"null", b"no name", b"bytes", b"integer of bits", b"inf", b"nan")
_FOLDED: Final = (b"\xe2\x84\xaa", b"\xc5\xbf", b"\xc4\xb0", b"\xc4\xb1")
_BYTES, _DOUBLE, _ESCAPE = b'"bytesvalue"', b'"doublevalue"', b"\\u"


@dataclass(frozen=True, slots=True)
class LineFilter:
    """All of `words`, in lower case, are in a line that matters; one with any of `wild` may hold anything.

    Without words all lines matter.
    """

    words: tuple[bytes, ...]
    wild: tuple[bytes, ...]

    def lines(
        self, fd: int, stop: Callable[[], bool] = lambda: False, *, longest: int = DEFAULT.line_bytes
    ) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of each line that may matter, without its newline. Lines over `longest` are left out."""
        position, rest = 0, b""
        while not stop() and (block := os.pread(fd, _BLOCK_BYTES, position + len(rest))):
            block = rest + block if rest else block
            whole = block.rfind(b"\n") + 1
            for begin, end in self._lines(block[:whole] if whole < len(block) else block):
                if end - begin <= longest:
                    yield position + begin, block[begin:end]
            if whole or len(block) <= longest:
                position, rest = position + whole, block[whole:]
            else:
                position, rest = _after_line(fd, position + len(block)), b""

    def _lines(self, block: bytes) -> Iterator[tuple[int, int]]:
        if not self.words:
            begin = 0
            while (end := block.find(b"\n", begin)) >= 0:
                yield begin, end
                begin = end + 1
            return
        lowered = block.lower()
        plain = lowered.isascii()
        found = {line for wild in self.wild if not plain or wild.isascii() for line in _holding(lowered, wild)}
        rarest = max(self.words, key=len)
        for begin, end in _holding(lowered, rarest):
            if all(lowered.find(word, begin, end) >= 0 for word in self.words):
                found.add((begin, end))
        yield from sorted(found)


def line_filter(query: str) -> LineFilter:
    """For lines in whose texts `query` may stand, whatever its case: never too few, as far as JSON and OTLP can be told apart."""
    words = tuple(dict.fromkeys(_WORDS.findall(query.encode("utf-8", "replace").lower())))
    recorded = tuple(word for word in words if not any(word in made for made in _MADE))
    plain = tuple(word for word in recorded if not _NUMBER_LIKE.fullmatch(word))
    # A number with a fraction is shown shorter than it is recorded; where there is another word, that tells lines apart.
    return LineFilter(plain or recorded, (_BYTES, _ESCAPE, *_FOLDED, *(() if plain else (_DOUBLE,))))


def _holding(block: bytes, needle: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each line that holds a needle."""
    at = block.find(needle)
    while at >= 0:
        end = block.find(b"\n", at)
        if needle is not _ESCAPE or block[at + 2 : at + 5] not in (b"000", b"001"):  # control characters hide no word
            yield block.rfind(b"\n", 0, at) + 1, end
            at = block.find(needle, end)
        else:
            at = block.find(needle, at + 2)


def _after_line(fd: int, position: int) -> int:
    while block := os.pread(fd, _BLOCK_BYTES, position):
        if (end := block.find(b"\n")) >= 0:
            return position + end + 1
        position += len(block)
    return position
