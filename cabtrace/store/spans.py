"""The spans of a run directory: trace.jsonl for those that ended, open.jsonl for those that only began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from cabtrace.gc_pause import gc_paused
from cabtrace.model.span import SpanRecord, SpanState
from cabtrace.store import layout
from cabtrace.store.lines import LineFile
from cabtrace.store.span_lines import SpanLines, reading_warnings


class SpanTable:
    """Reads both files once and then only what was appended. The last record of equal ids wins and is counted.

    A trace that was sealed meanwhile (see `cabtrace.store.seal`) is another file: it is read from its start.
    """

    def __init__(self, run_dir: Path) -> None:
        self._files = {name: LineFile(run_dir / name) for name in (layout.TRACE, layout.OPEN)}
        self._lines = SpanLines()
        self._bad: dict[str, list[int]] = {layout.TRACE: [], layout.OPEN: []}
        self._ended: dict[str, SpanRecord] = {}
        self._open: dict[str, SpanRecord] = {}
        self._duplicates = 0
        self._sorted: list[SpanRecord] | None = None
        self._loaded = False
        self._live = False

    def refresh(self, *, live: bool) -> bool:
        """Reads what was appended; True if there was anything new."""
        with gc_paused():
            return self._take_in(live=live)

    def _take_in(self, *, live: bool) -> bool:
        self._loaded = True
        trace = self._files[layout.TRACE]
        before = (len(self._ended), len(self._open), self._live, trace.generation)
        ended = self._read(layout.TRACE)
        if trace.generation != before[3]:
            self._start_over()
        known = len(self._ended)
        self._ended.update({span.span_id: span for span in ended})
        self._duplicates += known + len(ended) - len(self._ended)
        for span_id in [span_id for span_id in self._open if span_id in self._ended]:
            del self._open[span_id]
        for span in self._read(layout.OPEN):
            if span.span_id not in self._ended:
                self._open[span.span_id] = span
        self._live = live
        changed = before != (len(self._ended), len(self._open), live, trace.generation)
        if changed:
            self._sorted = None
        return changed

    def all(self, *, live: bool) -> Sequence[SpanRecord]:
        """Spans by start time."""
        if not self._loaded or live != self._live:
            self.refresh(live=live)
        if self._sorted is None:
            state = SpanState.RUNNING if live else SpanState.ABORTED
            pending = [replace(s, state=state, end_ns=None) for s in self._open.values()]
            spans = [*self._ended.values(), *pending]
            if any(s.end_ns is None for s in spans):  # which come first among those of equal start
                spans.sort(key=lambda s: s.end_ns is not None)
            spans.sort(key=attrgetter("start_ns"))
            self._sorted = spans
        return self._sorted

    def warnings(self) -> list[str]:
        """What could not be read, one sentence a file."""
        return reading_warnings(self._files, self._bad, self._duplicates, live=self._live)

    def _start_over(self) -> None:
        self._ended.clear()
        self._open.clear()
        self._duplicates = 0
        self._files[layout.OPEN].restart()
        self._bad[layout.OPEN].clear()

    def _read(self, name: str) -> list[SpanRecord]:
        spans: list[SpanRecord] = []
        file, decode = self._files[name], self._lines.decode
        generation = file.generation
        for first, lines in file.new_blocks():
            if file.generation != generation:
                generation = file.generation
                self._bad[name].clear()
            for number, line in enumerate(lines, first):
                try:
                    spans += decode(line)
                except (ValueError, KeyError, TypeError, AttributeError):
                    self._bad[name].append(number)
        return spans
