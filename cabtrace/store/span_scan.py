"""Facts about the spans of a run directory, read in one pass that keeps no span: for runs of any size, finished or growing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cabtrace.gc_pause import gc_paused
from cabtrace.model.span import SpanRecord, SpanState
from cabtrace.store import layout
from cabtrace.store.lines import LineFile
from cabtrace.store.span_facts import SpanFacts, id_number
from cabtrace.store.span_lines import SpanLines, reading_warnings
from cabtrace.store.span_order import OrderedFacts, linked
from cabtrace.store.span_records import SpanRecords

#: Gets the share of the work that is done, 0 to 1; what it raises ends the reading.
Progress = Callable[[float], None]

SOURCES: Final = (layout.TRACE, layout.OPEN)
_LINES_A_REPORT = 2_000
_ITEM_BITS = 24


class SpanScan:
    """Reads both files once and then only what was appended, by the rules of `cabtrace.store.spans.SpanTable`.

    The last record of equal ids wins; what only began counts until it ended; a file that was replaced is read from its start.
    """

    def __init__(self, run_dir: Path) -> None:
        self._dir = run_dir
        self._live = False
        self._generation = 0
        self._start_over()

    def _start_over(self) -> None:
        self._grows = False
        self._files = {name: LineFile(self._dir / name) for name in SOURCES}
        self._bad: dict[str, list[int]] = {name: [] for name in SOURCES}
        self._decode = SpanLines().decode
        self._facts = SpanFacts()
        self._known: dict[int, int] = {}  # places by id; kept where records may come for spans that were read before
        self._begun: dict[int, int] = {}
        self._duplicates = 0

    def refresh(self, *, live: bool, progress: Progress | None = None) -> bool:
        """Reads what was appended; True if there was anything new, or what is open has become something else."""
        with gc_paused():
            before = self._state()
            if live and not self._grows:
                self._expect_more()
            try:
                self._take_in(progress)
            except _ReplacedError:
                self._generation += 1
                self._start_over()
                self._take_in(progress)
            self._live = live
            return before != self._state()

    def _state(self) -> tuple[object, ...]:
        return len(self._facts), self._duplicates, len(self._begun), self._live, self._generation

    def records(self) -> SpanRecords:
        """What reads single spans of the files as they are now."""
        return SpanRecords({name: self._dir / name for name in SOURCES})

    def facts(self, records: SpanRecords, *, last: bool = False) -> OrderedFacts:
        """All spans, by start. `last`: this scan is not needed any more, and they take over what it knows."""
        with gc_paused():
            facts = self._facts if last else self._facts.copy()
            pending = self._pending()
            parents = None if pending else linked(facts, self._places())
            if last:
                self._start_over()  # what is not needed any more of a large run is much
            state = SpanState.RUNNING if self._live else SpanState.ABORTED
            for place in pending:
                offset, item = place >> _ITEM_BITS, place & (1 << _ITEM_BITS) - 1
                if (span := records.read(layout.OPEN, offset, item)) is not None:
                    facts.add(replace(span, state=state, end_ns=None), offset, item)
            return OrderedFacts(facts, parents)

    def warnings(self) -> list[str]:
        """What could not be read, one sentence a file."""
        return reading_warnings(self._files, self._bad, self._duplicates, live=self._live)

    def _expect_more(self) -> None:
        self._known = {span_id: place for place, span_id in enumerate(self._facts.ids)}
        self._grows = True

    def _pending(self) -> list[int]:
        known = self._known if self._grows or not self._begun else set(self._facts.ids)
        return [place for span_id, place in self._begun.items() if span_id not in known]

    def _places(self) -> Mapping[int, int]:
        """Places by id, at least of those that are someone's parent."""
        if self._grows:
            return self._known
        parents = set(self._facts.parent_ids)
        return {span_id: place for place, span_id in enumerate(self._facts.ids) if span_id in parents}

    def _take_in(self, progress: Progress | None) -> None:
        sizes = [_size(self._dir / name) for name in SOURCES]
        whole = max(sum(sizes), 1)
        spans = self._read(layout.TRACE, progress, 0, whole)
        known = self._take_in_more(spans) if self._grows else self._take_in_all(spans)
        if known is None:  # an id came twice, so once more with all of them at hand
            self._start_over()
            self._expect_more()
            known = self._take_in_more(self._read(layout.TRACE, progress, 0, whole))
        for span, offset, item in self._read(layout.OPEN, progress, sizes[0], whole):
            if (span_id := id_number(span.span_id)) not in known and item < 1 << _ITEM_BITS:
                self._begun[span_id] = offset << _ITEM_BITS | item

    def _take_in_all(self, spans: Iterator[tuple[SpanRecord, int, int]]) -> set[int] | None:
        """The ids of all spans; None where one came twice, which is rare, and not knowing it before saves much memory."""
        add, ids = self._facts.add, self._facts.ids
        for span, offset, item in spans:
            add(span, offset, item)
        known = set(ids)
        return known if len(known) == len(ids) else None

    def _take_in_more(self, spans: Iterator[tuple[SpanRecord, int, int]]) -> Mapping[int, int]:
        facts, known = self._facts, self._known
        for span, offset, item in spans:
            span_id = id_number(span.span_id)
            place = known.setdefault(span_id, len(facts))
            if place == len(facts):
                facts.add(span, offset, item)
            else:
                self._duplicates += 1
                facts.put(place, span, offset, item)
        return known

    def _read(self, name: str, progress: Progress | None, before: int, whole: int) -> Iterator[tuple[SpanRecord, int, int]]:
        lines, decode, bad = self._files[name], self._decode, self._bad[name]
        generation = lines.generation
        for line in lines.new_lines():
            if lines.generation != generation:
                raise _ReplacedError
            if progress is not None and line.number % _LINES_A_REPORT == 0:
                progress(min((before + line.offset) / whole, 1.0))
            try:
                spans = decode(line.data)
            except (ValueError, KeyError, TypeError, AttributeError):
                bad.append(line.number)
                continue
            for item, span in enumerate(spans):
                yield span, line.offset, item
        if lines.generation != generation:
            raise _ReplacedError


class _ReplacedError(Exception):
    """A file is another one than that of which a part was read."""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
