"""Sealing: all of it or nothing, beside a live writer and a live reader."""

import errno
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cabtrace.model import semconv as sc
from cabtrace.model.otlp_lines import span_line
from cabtrace.model.span import SpanRecord, SpanState
from cabtrace.store import layout
from cabtrace.store.appendlog import AppendLog
from cabtrace.store.files import Files
from cabtrace.store.lines import LineFile
from cabtrace.store.reader import RunView
from cabtrace.store.seal import seal_trace
from tests.support.recording import new_recorder
from tests.support.spans import span


@dataclass
class Result:
    spans: Sequence[SpanRecord]
    notes: Sequence[str] = ("done",)


def renamed(spans: Sequence[SpanRecord]) -> Result:
    return Result([replace(s, name="new") if s.span_id == "b" * 16 else s for s in spans])


def unchanged(spans: Sequence[SpanRecord]) -> Result:
    return Result(list(spans))


def without_b(spans: Sequence[SpanRecord]) -> Result:
    return Result([*(s for s in spans if s.span_id != "b" * 16), span("d" * 16, parent="a" * 16)])


def written(path: Path, *spans: SpanRecord, extra: bytes = b"") -> bytes:
    data = b"".join(span_line(s) for s in spans) + extra
    path.joinpath(layout.TRACE).write_bytes(data)
    return data


A, B, C = span("a" * 16), span("b" * 16, parent="a" * 16, key="value"), span("c" * 16, parent="a" * 16)


def test_only_what_changed_is_written_anew(tmp_path: Path) -> None:
    extra = b'{"resourceSpans": [ ] }\n not json\n'
    written(tmp_path, A, B, extra=extra + span_line(C))

    sealed = seal_trace(tmp_path, renamed)

    lines = tmp_path.joinpath(layout.TRACE).read_bytes().splitlines(keepends=True)
    assert lines[0] == span_line(A)
    assert lines[1] == span_line(replace(B, name="new"))
    assert b"".join(lines[2:4]) == extra
    assert lines[4] == span_line(C)
    assert (sealed.changed, sealed.spans_before, sealed.spans_after, sealed.bad_lines) == (True, 3, 3, 1)
    assert sealed.notes == ("done",)
    assert tmp_path.joinpath(layout.TRACE).stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [layout.TRACE]


def test_spans_go_and_come(tmp_path: Path) -> None:
    written(tmp_path, A, B)

    seal_trace(tmp_path, without_b)

    names = [json.loads(x)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] for x in
             tmp_path.joinpath(layout.TRACE).read_text().splitlines()]  # fmt: skip
    assert names == ["a" * 16, "d" * 16]


def test_what_stays_the_same_is_not_touched(tmp_path: Path) -> None:
    data = written(tmp_path, A, B, extra=b"bad\n")
    before = tmp_path.joinpath(layout.TRACE).stat()

    sealed = seal_trace(tmp_path, unchanged)

    after = tmp_path.joinpath(layout.TRACE).stat()
    assert not sealed.changed
    assert tmp_path.joinpath(layout.TRACE).read_bytes() == data
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_of_a_span_recorded_twice_the_last_record_stays(tmp_path: Path) -> None:
    written(tmp_path, A, replace(A, name="later"), B)

    seal_trace(tmp_path, unchanged)

    view = [json.loads(x)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] for x in
            tmp_path.joinpath(layout.TRACE).read_text().splitlines()]  # fmt: skip
    assert view == ["later", B.name]


def test_spans_that_have_not_ended_are_context_and_are_not_written(tmp_path: Path) -> None:
    written(tmp_path, B)
    tmp_path.joinpath(layout.OPEN).write_bytes(span_line(A) + span_line(B) + b"torn")
    given: list[SpanRecord] = []

    def merge(spans: Sequence[SpanRecord]) -> Result:
        given.extend(spans)
        return renamed(spans)

    seal_trace(tmp_path, merge)

    assert [(s.span_id, s.state) for s in given] == [("b" * 16, SpanState.ENDED), ("a" * 16, SpanState.RUNNING)]
    assert len(tmp_path.joinpath(layout.TRACE).read_bytes().splitlines()) == 1


class Failing(Files):
    """Fails the Nth call of the system calls that a rewrite makes."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path: Path, flags: int) -> int:
        self._count()
        return super().open(path, flags)

    def write(self, fd: int, data: bytes) -> int:
        self._count()
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._count()
        super().fsync(fd)

    def replace(self, source: Path, target: Path) -> None:
        self._count()
        super().replace(source, target)


def test_any_failure_leaves_the_old_file_and_a_log_that_still_works(tmp_path: Path) -> None:
    """Every call in turn: the open, each write, the fsync, the rename."""
    failed = 0
    for nth in range(2, 8):  # the first is the open of the log itself
        folder = tmp_path / str(nth)
        folder.mkdir()
        data = written(folder, A, B)
        log = AppendLog(folder / layout.TRACE, Failing(nth))
        try:
            log.rewrite(lambda _path: [b"x\n", b"y\n"])
        except OSError:
            failed += 1
            assert (folder / layout.TRACE).read_bytes() == data
            log.append(b"next\n")
            assert (folder / layout.TRACE).read_bytes() == data + b"next\n"
        else:
            log.append(b"next\n")
            assert (folder / layout.TRACE).read_bytes() == b"x\ny\nnext\n"
        finally:
            log.close()
        assert [p.name for p in folder.iterdir()] == [layout.TRACE]
    assert failed == 5


def test_a_merge_that_raises_leaves_everything(tmp_path: Path) -> None:
    data = written(tmp_path, A)

    def merge(_spans: Sequence[SpanRecord]) -> Result:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        seal_trace(tmp_path, merge)
    assert tmp_path.joinpath(layout.TRACE).read_bytes() == data


def test_nothing_that_is_appended_meanwhile_is_lost(tmp_path: Path) -> None:
    """Records before, during and after the rewrite: all of them are in the one file at the end."""
    log = AppendLog(tmp_path / layout.TRACE, Files())
    started, done = threading.Event(), threading.Event()

    def append() -> None:
        number = 0
        while not done.is_set() or number < 50:
            log.append(b"line %d\n" % number)
            number += 1
            started.set()
        counts.append(number)

    counts: list[int] = []
    thread = threading.Thread(target=append)
    thread.start()
    started.wait(20)
    for _ in range(5):
        log.rewrite(lambda path: [b"sealed\n", *(x for x in path.read_bytes().splitlines(keepends=True) if x != b"sealed\n")])
    done.set()
    thread.join(20)
    log.close()

    lines = (tmp_path / layout.TRACE).read_bytes().splitlines()
    assert lines.count(b"sealed") == 1
    assert [x for x in lines if x != b"sealed"] == [b"line %d" % n for n in range(counts[0])]


def test_a_live_reader_starts_over_and_harness_spans_go_on(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    first = recorder.start("container", sc.SpanKind.CONTAINER, parent=root)
    recorder.end(first)
    view = RunView(recorder.writer.path)
    assert [s.name for s in view.spans()] == ["cell", "container"]

    def merge(spans: Sequence[SpanRecord]) -> Result:
        return Result([replace(s, name="sealed") if s.name == "container" else s for s in spans])

    sealed = seal_trace(recorder.writer, merge)
    assert sealed.changed
    assert view.refresh()
    assert [(s.name, s.state) for s in view.spans()] == [("cell", SpanState.RUNNING), ("sealed", SpanState.ENDED)]
    recorder.end(recorder.start("score", sc.SpanKind.SCORE, parent=root))
    recorder.end(root)
    assert view.refresh()
    assert {s.name for s in view.spans()} == {"cell", "sealed", "score"}
    assert view.warnings() == []
    recorder.writer.close(status="finished")
    assert {s.name for s in RunView(recorder.writer.path).spans()} == {"cell", "sealed", "score"}


def test_a_line_file_notices_that_it_was_replaced_or_cut(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one\ntwo\n")
    lines = LineFile(path)
    assert [x.data for x in lines.new_lines()] == [b"one", b"two"]
    other = tmp_path / "g"
    other.write_bytes(b"three\nfour\nfive\n")
    other.replace(path)
    assert [x.data for x in lines.new_lines()] == [b"three", b"four", b"five"]
    path.write_bytes(b"six\n")
    assert [(x.number, x.data) for x in lines.new_lines()] == [(1, b"six")]
    assert lines.generation == 2


def test_a_reserved_id_is_the_next_spans_and_only_its(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    reserved = recorder.ids.reserve()
    before = recorder.start("before", sc.SpanKind.CELL, parent=None)
    named = recorder.start("container", sc.SpanKind.CONTAINER, parent=before, span_id=reserved)
    after = recorder.start("after", sc.SpanKind.CELL, parent=None)

    ids = [f"{s.get_span_context().span_id:016x}" for s in (before, named, after)]
    assert ids[1] == reserved
    assert len(set(ids)) == 3
    assert all(i in recorder.ids for i in ids)
    assert "f" * 16 not in recorder.ids
