"""Single spans of a run's files, read when they are looked at."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from cabtrace.limits import DEFAULT
from cabtrace.model.span import SpanRecord
from cabtrace.store.line_filter import LineFilter
from cabtrace.store.lines import open_regular
from cabtrace.store.span_lines import SpanLines

_READ_BYTES: Final = 8 * 1024
_LINES_KEPT: Final = 4  # of many spans each, so that the neighbours of a span cost nothing


class SpanRecords:
    """Holds its files open, so that offsets stay true when a file is replaced by another one."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        """A file that is missing or not regular has no records."""
        self._files: dict[str, int] = {}
        self._decode = SpanLines().decode
        self._lines: dict[tuple[str, int], list[SpanRecord]] = {}
        for name, path in paths.items():
            try:
                self._files[name] = open_regular(path)
            except OSError:
                continue
            weakref.finalize(self, os.close, self._files[name])

    def read(self, name: str, offset: int, item: int) -> SpanRecord | None:
        """Span `item` of the line that begins at `offset`; None where there is no such thing (any more)."""
        spans = self._lines.get((name, offset))
        if spans is None:
            spans = self._spans(name, offset)
            if len(spans) > 1:
                kept = [*list(self._lines.items())[-_LINES_KEPT + 1 :], ((name, offset), spans)]
                self._lines = dict(kept)  # replaced, never changed: other threads read it
        return spans[item] if 0 <= item < len(spans) else None

    def _spans(self, name: str, offset: int) -> list[SpanRecord]:
        try:
            return self._decode(self.line(name, offset))
        except (OSError, OverflowError, ValueError, KeyError, TypeError, AttributeError):
            return []

    def line(self, name: str, offset: int) -> bytes:
        """The line that begins there, without its newline. Raises ValueError or OSError where there is none."""
        fd = self._files[name]
        blocks: list[bytes] = []
        size = 0
        while block := os.pread(fd, _READ_BYTES if not blocks else 1024 * 1024, offset + size):
            end = block.find(b"\n")
            if end >= 0:
                return b"".join([*blocks, block[:end]])
            blocks.append(block)
            size += len(block)
            if size > DEFAULT.line_bytes:
                break
        raise ValueError("no line begins there")

    def offsets(self, name: str, words: LineFilter, stop: Callable[[], bool]) -> Iterator[int]:
        """Where lines begin that may hold the words."""
        if (fd := self._files.get(name)) is not None:
            yield from (offset for offset, _ in words.lines(fd, stop))
