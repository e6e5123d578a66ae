"""Reading of append-only line files: only whole lines, bounded, and where the reader stands is kept for the next time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cabtrace.limits import DEFAULT

_READ_BYTES = 1024 * 1024


def open_regular(path: Path) -> int:
    """A read-only descriptor of a regular file; a link, fifo or device raises OSError and never blocks."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path.name} is not a regular file")
    return fd


def read_regular(path: Path, max_bytes: int) -> bytes:
    """At most `max_bytes` of a regular file; b"" when it is missing. Raises OSError for anything that is no regular file."""
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        return b""
    with os.fdopen(fd, "rb") as handle:
        return handle.read(max_bytes)


def nests_deeper(value: object, most: int) -> bool:
    """Whether parsed JSON nests deeper than `most` levels; found without recursion, which is what such JSON breaks."""
    level = [value]
    for _ in range(most):
        level = [item for parent in level for item in _children(parent) if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class Line(NamedTuple):
    """`offset` is that of its first byte."""

    number: int
    offset: int
    data: bytes


class LineFile:
    """Follows one file. `torn_bytes`: what stands after the last newline; `long_lines`: numbers of lines over the cap.

    A file that was replaced by another one, or cut to less than was read, is read again from its start; `generation` says how
    often that happened.
    """

    def __init__(self, path: Path, max_line_bytes: int = DEFAULT.line_bytes, *, read_bytes: int = _READ_BYTES) -> None:
        self.path = path
        self.offset = 0
        self.count = 0
        self.torn_bytes = 0
        self.long_lines: list[int] = []
        self.generation = 0
        self._file: tuple[int, int] | None = None
        self._max_line_bytes = max_line_bytes
        self._read_bytes = read_bytes

    def restart(self) -> None:
        """Everything is handed out again."""
        self.offset = self.count = self.torn_bytes = 0
        self.long_lines.clear()

    def resume(self, offset: int, count: int) -> None:
        """Goes on at a line's beginning, `count` lines from the start. Raises OSError for a file that is none."""
        self.offset, self.count = offset, count
        fd = open_regular(self.path)
        try:
            status = os.fstat(fd)
        finally:
            os.close(fd)
        self._file = (status.st_dev, status.st_ino)

    def new_lines(self) -> Iterator[Line]:
        """Whole lines that were not handed out yet, without their newline. A missing file has none."""
        for lines in self._new():
            for data in lines:
                start, self.offset = self.offset, self.offset + len(data) + 1
                self.count += 1
                yield Line(self.count, start, data)

    def new_blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        """The same for readers of very many: the number of the first line of a block, and the lines of it."""
        for lines in self._new():
            first = self.count + 1
            self.offset += sum(map(len, lines)) + len(lines)
            self.count += len(lines)
            yield first, lines

    def _new(self) -> Iterator[list[bytes]]:
        try:
            fd = open_regular(self.path)
        except FileNotFoundError:
            return
        try:
            self._notice_replacement(fd)
            yield from self._scan(fd)
        finally:
            os.close(fd)

    def _notice_replacement(self, fd: int) -> None:
        status = os.fstat(fd)
        file = (status.st_dev, status.st_ino)
        if self._file is not None and (file != self._file or status.st_size < self.offset):
            self.generation += 1
            self.restart()
        self._file = file

    def _scan(self, fd: int) -> Iterator[list[bytes]]:
        """Lines that are not too long, which who takes them counts; those that are too long are counted here."""
        rest, position, skipping = b"", self.offset, False
        while block := os.pread(fd, self._read_bytes, position):
            position += len(block)
            lines = (rest + block).split(b"\n") if rest else block.split(b"\n")
            rest = lines.pop()
            if lines and skipping:
                self._pass_over(lines.pop(0))
                skipping = False
            while lines and max(map(len, lines)) > self._max_line_bytes:
                place = next(n for n, data in enumerate(lines) if len(data) > self._max_line_bytes)
                if place:
                    yield lines[:place]
                self._pass_over(lines[place])
                del lines[: place + 1]
            if lines:
                yield lines
            if len(rest) > self._max_line_bytes:  # bounded: forget the beginning, remember that it is too long
                self.offset += len(rest)
                rest, skipping = b"", True
        self.torn_bytes = len(rest)

    def _pass_over(self, data: bytes) -> None:
        self.offset += len(data) + 1
        self.count += 1
        self.long_lines.append(self.count)
