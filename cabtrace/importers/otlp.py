"""Traces as runs of the store: two passes over a source, ids and counts in memory, one run a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cabtrace.errors import UsageError
from cabtrace.importers.bodies import BodyWriter
from cabtrace.importers.header import cell_of, header_of, missing, notices, origin
from cabtrace.importers.pieces import Piece, Source, UnreadableError
from cabtrace.importers.shape import Shaper
from cabtrace.importers.survey import Survey
from cabtrace.model.decode import decode
from cabtrace.model.ids import CellId, new_run_id
from cabtrace.model.otlp_lines import span_line
from cabtrace.model.run import Imported, RunHeader
from cabtrace.otel.cleaning import RecordCleaner
from cabtrace.store.clock import iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt, discard_attempt

if TYPE_CHECKING:
    from cabtrace.model.span import SpanRecord
    from cabtrace.redact import Redactor

SWEEP: Final = "imported"
MOST_SPANS: Final = 5_000_000
MOST_TRACES: Final = 256
_BATCH_BYTES: Final = 1024 * 1024
_TOLD_EVERY: Final = 256
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run that was made. `calls` and `tool_calls` were recognised among its `spans`; `problem` is why any could not be read."""

    path: Path
    header: RunHeader
    calls: int
    tool_calls: int
    problem: str = ""


@dataclass(slots=True)
class _Found:
    traces: dict[str, Survey] = field(default_factory=dict)
    rejected: int = 0
    bad_lines: int = 0
    problem: str = ""


def import_traces(
    source: Source, store: Path, redactor: Redactor, *, trace_id: str = "", sweep: str = SWEEP, progress: Progress | None = None
) -> list[ImportedRun]:
    """Makes a run of every trace of the source, or of the one that is named: all of them, or none where one cannot be made.

    Raises UsageError for what cannot be read or holds no such trace, StoreError where the store cannot be written.
    """
    found = _survey(source, trace_id)
    if not found.traces:
        raise _nothing(source, found, trace_id)
    runs: dict[str, _Run] = {}
    with ExitStack() as undo:
        for survey in found.traces.values():
            runs[survey.trace_id] = run = _Run(source, store, redactor, survey, sweep)
            undo.callback(run.discard)
        _write(source, runs, redactor, progress)
        undo.pop_all()
    return [run.close(found) for run in runs.values()]


def _survey(source: Source, trace_id: str) -> _Found:
    found = _Found()
    spans = 0
    for piece in source.pieces():
        found.rejected += piece.rejected
        found.bad_lines += piece.bad_lines
        found.problem = found.problem or piece.problem
        for span in piece.spans:
            if trace_id and span.trace_id != trace_id:
                continue
            survey = found.traces.get(span.trace_id)
            if survey is None:
                if len(found.traces) >= MOST_TRACES:
                    raise UsageError(f"{source.where} holds more than {MOST_TRACES} traces.", hint="Name one with --trace.")
                survey = found.traces[span.trace_id] = Survey(span.trace_id)
            survey.add(span)
        spans += len(piece.spans)
        if spans > MOST_SPANS:
            raise UsageError(f"{source.where} holds more than {MOST_SPANS:,} spans.", hint="Split it, one trace a file.")
    return found


def _nothing(source: Source, found: _Found, trace_id: str) -> UsageError:
    if trace_id:
        return UsageError(f"{source.where} holds no trace {trace_id}.")
    if found.rejected or found.bad_lines:
        return UnreadableError(f"{source.where} holds no span that can be read: {found.problem}.")
    return UnreadableError(f"{source.where} holds no spans.")


def _write(source: Source, runs: Mapping[str, _Run], redactor: Redactor, progress: Progress | None) -> None:
    done, total = 0, sum(run.survey.spans for run in runs.values())
    due = 0
    cleaner = RecordCleaner(redactor)
    for piece in source.pieces():
        cleaner.begin_batch()
        done += _write_piece(piece, runs, cleaner)
        if progress is not None and done >= due:
            progress(done, total)
            due = done + _TOLD_EVERY
    for run in runs.values():
        run.flush()


def _write_piece(piece: Piece, runs: Mapping[str, _Run], cleaner: RecordCleaner) -> int:
    done = 0
    for span in piece.spans:
        run = runs.get(span.trace_id)
        if run is not None and run.is_last(span.span_id):
            run.take(span, cleaner)
            done += 1
    return done


class _Run:
    """A run while it is made."""

    def __init__(self, source: Source, store: Path, redactor: Redactor, survey: Survey, sweep: str) -> None:
        self.survey = survey
        self._source, self._store, self._redactor = source, store, redactor
        self._left = dict(survey.repeated)
        self._pending: list[bytes] = []
        self._size = 0
        self._shaper = Shaper(survey)
        survey.restore(self._shaper.whole)
        known = cell_of(survey, sweep)
        clean = redactor.text  # its parts become names of folders
        cell = CellId(clean(known.sweep), clean(known.agent), clean(known.model), clean(known.task))
        self.path, attempt = allocate_attempt(store, cell)
        try:
            header = header_of(survey, cell, attempt, new_run_id())
            self._imported = origin(survey, source, iso_utc(time.time_ns()))
            whole = replace(header, imported=self._imported)
            self._writer = RunWriter(self.path, decode(RunHeader, redactor.value(asdict(whole))))
        except BaseException:
            discard_attempt(store, self.path)
            raise
        self._bodies = BodyWriter(self._writer, redactor)

    def is_last(self, span_id: str) -> bool:
        """Whether a span of this id comes for the last time."""
        number = int(span_id, 16) if self._left else 0
        left = self._left.get(number, 0)
        if left:
            self._left[number] = left - 1
        return not left

    def take(self, span: SpanRecord, cleaner: RecordCleaner) -> None:
        """Writes a span, and beside it what a model call says of its conversation."""
        span = self._shaper.whole(span)
        number = self._shaper.number(span)
        stored = self._bodies.take(span, number) if number else frozenset[str]()
        line = span_line(cleaner.span(self._shaper.span(span, stored)))
        if span.end_ns is None:  # it stands where spans stand that only began
            self._writer.append("open", line)
            return
        self._pending.append(line)
        self._size += len(line)
        if self._size >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what was taken."""
        if self._pending:
            self._writer.append("trace", b"".join(self._pending), lines=len(self._pending))
            self._pending.clear()
            self._size = 0

    def close(self, found: _Found) -> ImportedRun:
        """Closes the run, with what is known of it now."""
        absent = missing(self.survey, self._bodies.count)
        whole = replace(self._imported, rejected=found.rejected, bad_lines=found.bad_lines, missing=absent)
        clean = decode(Imported, self._redactor.value(asdict(whole)))
        counted = dict(self._redactor.counts)
        self._writer.close(status="finished", imported=clean, warnings=notices(clean), redactions=counted)
        calls = len(self._shaper.calls)
        return ImportedRun(self.path, self._writer.header, calls, self.survey.told.tool_calls, found.problem)

    def discard(self) -> None:
        """Takes everything back."""
        self._writer.close()
        discard_attempt(self._store, self.path)
