"""A terminal recording of any size: its times as a column, its text read from the file where it is needed."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from typing import overload

from cabtrace.limits import MIB
from cabtrace.store.cast import CastEvent, CastHeader, CastReader
from cabtrace.store.lines import LineFile

# how exactly it is known where an event stands in the file: what is read in vain to get to it
_BLOCK_EVENTS = 64
_BLOCK_BYTES = 32 * 1024
_LEAST_READ_BYTES = 4096


@dataclass(slots=True)
class Columns:
    """`times_ns` has an entry an event; the others one a block: its first event, where its line begins, lines and time before."""

    times_ns: array[int] = field(default_factory=lambda: array("q"))
    firsts: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    clocks_s: array[float] = field(default_factory=lambda: array("d"))

    def open_block(self, start: int, line: int, clock_s: float) -> None:
        """The next event begins one. What readers in other threads look up last is set last."""
        self.clocks_s.append(clock_s)
        self.lines.append(line)
        self.starts.append(start)
        self.firsts.append(len(self.times_ns))

    def block_of(self, event: int) -> int:
        """Which block an event is in."""
        return bisect_right(self.firsts, event) - 1


class CastLog:
    """Follows one file. Times are nanoseconds since second 0 of the recording and never decrease.

    A file that was replaced is read anew; `generation` says how often that happened. May be read while another thread refreshes.
    """

    def __init__(self, path: Path) -> None:
        """Reads nothing yet."""
        self.path = path
        self.file = LineFile(path)
        self.reader = CastReader()
        self.columns = Columns()
        self.generation = 0

    def __len__(self) -> int:
        return len(self.columns.times_ns)

    @property
    def header(self) -> CastHeader | None:
        """None as long as there is no first line."""
        return self.reader.header

    @property
    def times_ns(self) -> Sequence[int]:
        """When each event was."""
        return self.columns.times_ns

    @property
    def last_time_s(self) -> float:
        """When the last event was; 0 when there is none."""
        return self.reader.time_s

    def refresh(self) -> bool:
        """Takes in what was appended; True if that holds an event. Raises OSError."""
        before = len(self)
        at = (0, 0)

        def lines() -> Iterator[bytes]:
            nonlocal at
            for line in self.file.new_lines():
                if self.file.generation != self.generation:
                    self.generation = self.file.generation
                    self.reader.restart()
                    self.columns = Columns()
                at = line.offset, line.number - 1
                yield line.data

        clock_s = self.reader.time_s
        for event in self.reader.feed(lines()):
            columns = self.columns
            times = columns.times_ns
            if not times or len(times) - columns.firsts[-1] >= _BLOCK_EVENTS or at[0] - columns.starts[-1] >= _BLOCK_BYTES:
                columns.open_block(*at, clock_s if times else 0.0)
            clock_s = event.time_s
            times.append(round(clock_s * 1e9))
        return len(self) != before

    def events(self) -> CastEvents:
        """All of them."""
        return CastEvents(self, len(self))

    def between(self, start: int, stop: int) -> Iterator[CastEvent]:
        """Events from number `start` to before `stop`, read now. Fewer where the file was cut meanwhile. Raises OSError."""
        columns, header = self.columns, self.reader.header
        stop = min(stop, len(columns.times_ns))
        if start >= stop or header is None:
            return
        block, last = columns.block_of(start), columns.block_of(stop - 1) + 1
        end = columns.starts[last] if last < len(columns.starts) else self.file.offset
        size = min(max(end - columns.starts[block], _LEAST_READ_BYTES), MIB)
        lines = LineFile(self.path, read_bytes=size)
        lines.offset, lines.count = columns.starts[block], columns.lines[block]
        reader = CastReader(header, time_s=columns.clocks_s[block])
        first = columns.firsts[block]
        events = reader.feed(line.data for line in lines.new_lines())
        yield from islice(events, start - first, stop - first)

    def bytes_between(self, start: int, stop: int) -> int:
        """How much of the file two events are apart, to within a block each."""
        columns = self.columns
        first, last = (columns.block_of(max(n, 0)) for n in (start, stop))
        return columns.starts[last] - columns.starts[first] if columns.firsts else 0

    def landmarks_ns(self, gap_ns: int) -> Iterator[int]:
        """As few of the times, in order, as keep every gap longer than `gap_ns` and make no other."""
        last = before = None
        for time_ns in self._candidates_ns(gap_ns):
            if last is None or before is None:
                yield time_ns
                last = time_ns
            elif time_ns - last > gap_ns:
                if before != last:
                    yield before
                    last = before
                if time_ns - last > gap_ns:
                    yield time_ns
                    last = time_ns
            before = time_ns
        if before is not None and before != last:
            yield before

    def _candidates_ns(self, gap_ns: int) -> Iterator[int]:
        """All times of a block that may have such a gap, else the first alone; and the last of all."""
        times, firsts = self.columns.times_ns, self.columns.firsts
        for first, after in zip_longest(firsts, firsts[1:], fillvalue=len(times) - 1):
            if times[after] - times[first] > gap_ns:
                yield from times[first:after]
            else:
                yield times[first]
        yield from times[-1:]


class CastEvents(Sequence[CastEvent]):
    """The events of a recording as a sequence that holds none of them: going through it reads the file."""

    __slots__ = ("_log", "_stop")

    def __init__(self, log: CastLog, stop: int) -> None:
        self._log, self._stop = log, stop

    def __len__(self) -> int:
        return self._stop

    def __iter__(self) -> Iterator[CastEvent]:
        return self._log.between(0, self._stop)

    def __reversed__(self) -> Iterator[CastEvent]:
        stop = self._stop
        for first in reversed(self._log.columns.firsts):
            if first < stop:
                yield from reversed(list(self._log.between(first, stop)))
                stop = first

    @overload
    def __getitem__(self, index: int) -> CastEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[CastEvent]: ...
    def __getitem__(self, index: int | slice) -> CastEvent | list[CastEvent]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._stop)
            if step == 1:
                return list(self._log.between(start, stop))
            return [self[i] for i in range(start, stop, step)]
        place = index + self._stop if index < 0 else index
        if not 0 <= place < self._stop:
            raise IndexError(index)
        return next(self._log.between(place, place + 1))
