"""A state machine over the real writer, reader and recovery against a list in memory: prefix, order, no duplicates.

A crash drops the writer without closing it; a torn tail is what a crash in the middle of a write leaves.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cabtrace.model.otlp import span_to_otlp
from cabtrace.model.run import AgentInfo, RunHeader, TaskInfo
from cabtrace.model.span import SpanRecord, SpanState
from cabtrace.store import layout
from cabtrace.store.appendlog import AppendLog
from cabtrace.store.cast import CastHeader
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.files import Files
from cabtrace.store.lines import LineFile
from cabtrace.store.reader import RunView
from cabtrace.store.recover import recover
from cabtrace.store.verify import verify_run
from cabtrace.store.writer import RunWriter, allocate_attempt
from tests.support.recording import CELL
from tests.support.sample_run import TRACE_ID, write_span

SOAK = bool(os.environ.get("CABTRACE_SOAK"))
SETTINGS = settings(
    max_examples=1_000 if SOAK else 60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TEXTS = st.text(max_size=40) | st.sampled_from(["\n", "\r\n", "\ud800", "\x00", "\u2028", "x" * 5_000])


class LogMachine(RuleBasedStateMachine):
    """One AppendLog, its crashes, torn tails and refused writes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "log.jsonl"
        self.files = _Stubborn()
        self.log = AppendLog(self.path, self.files)
        self.acknowledged: list[bytes] = []
        self.torn = b""
        self.number = 0

    def teardown(self) -> None:
        self.log.close()
        shutil.rmtree(self.folder)

    def _record(self, text: str) -> bytes:
        self.number += 1
        return orjson.dumps([self.number, text.encode("utf-8", "replace").decode()]) + b"\n"

    @rule(text=TEXTS, durable=st.booleans())
    def append(self, text: str, durable: bool) -> None:
        record = self._record(text)
        self.log.append(record, durable=durable)
        self.acknowledged.append(record)

    @rule(text=TEXTS, kept=st.integers(0, 30), can_truncate=st.booleans())
    def append_on_a_full_disk(self, text: str, kept: int, can_truncate: bool) -> None:
        record = self._record(text)
        self.files.most, self.files.can_truncate = min(kept, len(record) - 1), can_truncate
        try:
            self.log.append(record)
        except OSError:
            pass
        else:
            raise AssertionError("a short write was acknowledged")
        finally:
            self.files.most, self.files.can_truncate = None, True

    @rule(tail=st.binary(max_size=60))
    def crash_in_the_middle_of_a_write(self, tail: bytes) -> None:
        os.close(self.log._fd)
        self.log._fd = -1
        with self.path.open("ab") as file:
            file.write(tail.replace(b"\n", b" "))
        self.log = AppendLog(self.path, self.files)

    @rule()
    def sync(self) -> None:
        self.log.sync()

    @invariant()
    def every_acknowledged_record_is_there_in_order_once(self) -> None:
        numbers, wanted = [], [orjson.loads(record)[0] for record in self.acknowledged]
        for line in LineFile(self.path).new_lines():
            try:
                numbers.append(orjson.loads(line.data)[0])
            except (ValueError, TypeError, IndexError, KeyError):
                continue  # a piece that was fenced off by a newline
        assert numbers == wanted

    @invariant()
    def a_reader_that_follows_sees_the_same(self) -> None:
        assert self.log.size_bytes <= self.path.stat().st_size


class _Stubborn(Files):
    """A file layer whose next write may be short and whose truncate may fail."""

    most: int | None = None
    can_truncate = True

    def write(self, fd: int, data: bytes) -> int:
        if self.most is None:
            return super().write(fd, data)
        return super().write(fd, data[: self.most]) if self.most else 0

    def truncate(self, fd: int, size: int) -> None:
        if not self.can_truncate:
            raise OSError(28, "No space left on device")
        super().truncate(fd, size)


class RunMachine(RuleBasedStateMachine):
    """One run: spans that start and end, a terminal, calls, crashes, torn tails, recovery, readers that follow."""

    @initialize()
    def begin(self) -> None:
        self.store = Path(tempfile.mkdtemp())
        self.started: list[str] = []
        self.ended: list[str] = []
        self.typed: list[str] = []
        self.number = 0
        self.closed = False
        self.allocate()

    def allocate(self) -> None:
        clock = RunClock.start()
        self.path, attempt = allocate_attempt(self.store, CELL)
        self.header = RunHeader(
            run_id="0" * 31 + "1", cell_id=str(CELL), sweep_id=CELL.sweep, attempt=attempt, task=TaskInfo(id=CELL.task),
            agent=AgentInfo(name=CELL.agent), model=CELL.model, started_at=iso_utc(clock.wall_ns), clock=clock.to_model(),
        )  # fmt: skip
        self.writer: RunWriter | None = RunWriter(self.path, self.header)
        self.writer.start_terminal(CastHeader(), clock.wall_ns)
        self.follower = RunView(self.path)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            if self.writer:
                self.writer.close(status="finished")
            shutil.rmtree(self.store)

    def _span(self, span_id: str, end_ns: int | None) -> SpanRecord:
        start_ns = self.header.clock.wall_ns + int(span_id, 16)
        return SpanRecord(TRACE_ID, span_id, None, f"span {span_id}", start_ns, None if end_ns is None else start_ns + end_ns)

    @precondition(lambda self: self.writer is not None)
    @rule()
    def start_span(self) -> None:
        assert self.writer
        self.number += 1
        span_id = f"{self.number:016x}"
        line = {"resourceSpans": [{"scopeSpans": [{"spans": [span_to_otlp(self._span(span_id, None))]}]}]}
        assert self.writer.append("open", orjson.dumps(line) + b"\n")
        self.started.append(span_id)

    @precondition(lambda self: self.writer is not None and len(self.started) > len(self.ended))
    @rule(data=st.data())
    def end_span(self, data: st.DataObject) -> None:
        assert self.writer
        span_id = data.draw(st.sampled_from([s for s in self.started if s not in self.ended]))
        write_span(self.writer, self._span(span_id, 5))
        self.ended.append(span_id)

    @precondition(lambda self: self.writer is not None)
    @rule(text=TEXTS)
    def type(self, text: str) -> None:
        assert self.writer
        assert self.writer.terminal(self.header.clock.wall_ns + self.number, "o", text)
        self.typed.append(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))

    @precondition(lambda self: self.writer is not None)
    @rule(tail=st.binary(max_size=40), log=st.sampled_from([layout.TRACE, layout.OPEN, layout.TERMINAL, layout.CALLS]))
    def crash(self, tail: bytes, log: str) -> None:
        assert self.writer
        for appended in self.writer._logs.values():
            appended.close()
        os.close(self.writer._lock._fd)  # the kernel lets go of a dead process' lock, and leaves the file
        self.writer = None
        if tail := tail.replace(b"\n", b" "):
            with (self.path / log).open("ab") as file:
                file.write(tail)

    @precondition(lambda self: self.writer is None and not self.closed)
    @rule()
    def recover(self) -> None:
        result = recover(self.path)
        assert result.closed_spans == len(self.started) - len(self.ended)
        assert not result.already_closed
        self.closed = True
        assert verify_run(self.path).problems == ()
        assert not any("middle of a record" in warning for warning in RunView(self.path).warnings())

    @precondition(lambda self: self.closed)
    @rule()
    def recover_again(self) -> None:
        assert recover(self.path).already_closed

    @precondition(lambda self: self.writer is not None)
    @rule()
    def close(self) -> None:
        assert self.writer
        self.writer.close(status="finished")
        self.writer = None
        self.closed = True
        assert verify_run(self.path).problems == ()

    @precondition(lambda self: self.closed)
    @rule()
    def next_attempt(self) -> None:
        """A retry is a run of its own; the one before stays as it was."""
        before = {p: p.read_bytes() for p in self.path.rglob("*") if p.is_file()}
        old = self.path
        self.started, self.ended, self.typed, self.closed = [], [], [], False
        self.allocate()
        assert self.path != old
        assert {p: p.read_bytes() for p in old.rglob("*") if p.is_file()} == before

    @invariant()
    def both_readers_see_what_was_acknowledged(self) -> None:
        if not hasattr(self, "store"):
            return
        self.follower.refresh()
        for view in (self.follower, RunView(self.path)):
            spans = view.spans()
            assert sorted(s.span_id for s in spans) == sorted(self.started)  # every one, and each once
            assert [s.start_ns for s in spans] == sorted(s.start_ns for s in spans)
            pending = {s.span_id for s in spans if s.state is not SpanState.ENDED}
            expected = set() if self.closed and view.header.status == "recovered" else set(self.started) - set(self.ended)
            assert pending == expected
            assert "".join(e.data for e in view.terminal_events()) == "".join(self.typed)
            times = [e.time_s for e in view.terminal_events()]
            assert times == sorted(times)
            assert view.live == (self.writer is not None)
            assert view.aborted == (self.writer is None and not self.closed)


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = SETTINGS
TestRunMachine = pytest.mark.slow(RunMachine.TestCase)
TestRunMachine.settings = SETTINGS
