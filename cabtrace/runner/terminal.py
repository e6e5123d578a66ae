"""Bytes of a pty into terminal.cast: decoded across reads, secrets removed while they stream, bounded."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cabtrace.limits import DEFAULT, Limits
from cabtrace.store.cast import CastHeader

if TYPE_CHECKING:
    from cabtrace.redact import Redactor
    from cabtrace.store.writer import RunWriter

_CONTROLS: Final = bytes(set(range(32)) - set(b"\b\t\n\f\r"))


class TerminalRecorder:
    """Records one pty. `cut_bytes` says what came after the cap and was not kept."""

    def __init__(self, writer: RunWriter, redactor: Redactor, limits: Limits = DEFAULT) -> None:
        self._writer = writer
        self._stream = redactor.stream()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left_bytes = limits.terminal_bytes
        self._sizes: list[tuple[int, str]] = []  # resizes that happened after output that is still held back
        self.cut_bytes = 0
        self.total_bytes = 0

    @property
    def warning(self) -> str:
        """What a reader of the record should know; "" where all of it was kept."""
        if not self.cut_bytes:
            return ""
        kept = self.total_bytes - self.cut_bytes
        return f"the terminal's output was kept up to byte {kept}; {self.cut_bytes} bytes after that were not"

    def start(self, header: CastHeader, start_ns: int) -> None:
        """Begins the recording; times count from `start_ns`."""
        self._writer.start_terminal(header, start_ns)

    def output(self, time_ns: int, data: bytes) -> None:
        """Takes output as it was read."""
        self.total_bytes += len(data)
        kept = data
        if (size := _written_bytes(data)) > self._left_bytes:
            kept = data[: self._left_bytes * len(data) // size]
            size = self._left_bytes  # nothing after the cut is kept, however little it were
        self._left_bytes -= size
        self.cut_bytes += len(data) - len(kept)
        text = self._decoder.decode(kept)
        if text:
            self._write(self._stream.feed(time_ns, text))

    def resize(self, time_ns: int, columns: int, rows: int) -> None:
        """The terminal's size changed; written in its place between pieces of output."""
        self._sizes.append((time_ns, f"{columns}x{rows}"))
        self._write([])

    def marker(self, time_ns: int, label: str) -> None:
        """A point that a player can jump to."""
        self._writer.terminal(time_ns, "m", label)

    def close(self, time_ns: int) -> None:
        """Releases what was held back."""
        rest = self._decoder.decode(b"", final=True)
        self._write(self._stream.feed(time_ns, rest) if rest else [])
        self._write(self._stream.close())

    def _write(self, pieces: list[tuple[int, str]]) -> None:
        for time_ns, text in pieces:
            self._resized(until_ns=time_ns)
            self._writer.terminal(time_ns, "o", text)
        self._resized(until_ns=self._stream.held_since)

    def _resized(self, *, until_ns: int | None) -> None:
        while self._sizes and (until_ns is None or self._sizes[0][0] <= until_ns):
            time_ns, size = self._sizes.pop(0)
            self._writer.terminal(time_ns, "r", size)


def _written_bytes(data: bytes) -> int:
    """About what it takes on disk: JSON writes a control character in six."""
    return len(data) + 5 * (len(data) - len(data.translate(None, _CONTROLS)))


class OutputTail:
    """Keeps the beginning and the end of an output of any length, secrets removed when it is read."""

    def __init__(self, head_bytes: int, tail_bytes: int) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._head_bytes, self._tail_bytes = head_bytes, tail_bytes
        self.omitted_bytes = 0

    def add(self, data: bytes) -> None:
        """Takes output."""
        room = self._head_bytes - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > 2 * self._tail_bytes:
            cut = len(self._tail) - self._tail_bytes
            del self._tail[:cut]
            self.omitted_bytes += cut

    def text(self, clean: Callable[[str], str]) -> str:
        """Head, what was left out in words, tail."""
        if self.omitted_bytes:
            gap = f"\n[{self.omitted_bytes} bytes left out]\n".encode()
            return clean((bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace"))
        return clean((self._head + self._tail).decode("utf-8", "replace"))
