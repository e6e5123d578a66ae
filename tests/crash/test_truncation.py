"""Every file cut at any byte: it opens, what is read is an exact prefix, and the next append is readable."""

import os
import shutil
from pathlib import Path

import pytest

from cabtrace.model import semconv as sc
from cabtrace.store import layout
from cabtrace.store.appendlog import AppendLog
from cabtrace.store.cast import CastHeader
from cabtrace.store.files import Files
from cabtrace.store.lines import LineFile
from cabtrace.store.reader import RunView
from tests.support.recording import new_recorder

TAIL_BYTES = 64 * 1024
STEP = 1 if os.environ.get("CABTRACE_SOAK") else 37  # CI: every 37th byte of the tail, and each byte of the last KiB
BEFORE = 1777
LOGS = (layout.TRACE, layout.OPEN, layout.TERMINAL, layout.CALLS)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorder = new_recorder(tmp_path_factory.mktemp("store"))
    writer = recorder.writer
    writer.start_terminal(CastHeader(80, 24), recorder.clock.now_ns())
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    for number in range(160):
        span = recorder.start(f"chat {number}", sc.SpanKind.MODEL_CALL, parent=root, attributes={"text": "é" * 200})
        writer.append("calls", b'{"call_id":"%016x","type":"request","body":"%s"}\n' % (number, b"x" * 500))
        writer.terminal(recorder.clock.now_ns(), "o", f"line {number} \x1b[31mé\x1b[0m\r\n" * 10)
        recorder.end(span)
    recorder.end(root)
    writer.close(status="finished")
    return writer.path


def cut_points(size: int) -> list[int]:
    tail = max(0, size - TAIL_BYTES)
    return sorted({*range(0, tail, BEFORE), *range(tail, size, STEP), *range(max(0, size - 1024), size)})


@pytest.mark.parametrize("name", LOGS)
def test_any_cut_leaves_an_exact_prefix_and_a_healthy_append(recorded: Path, tmp_path: Path, name: str) -> None:
    whole = (recorded / name).read_bytes()
    expected = whole.split(b"\n")[:-1]
    path = tmp_path / name
    for cut in cut_points(len(whole)):
        path.write_bytes(whole[:cut])
        lines = LineFile(path)

        read = [line.data for line in lines.new_lines()]

        assert read == expected[: len(read)]
        assert len(read) == whole[:cut].count(b"\n")
        assert lines.torn_bytes == cut - (whole[:cut].rfind(b"\n") + 1)

        log = AppendLog(path, Files())
        log.append(b'{"next":1}\n')
        log.close()
        assert [line.data for line in LineFile(path).new_lines()] == [*read, b'{"next":1}']


@pytest.mark.parametrize("name", LOGS)
def test_a_run_with_a_cut_file_opens_and_says_so(recorded: Path, tmp_path: Path, name: str) -> None:
    whole = (recorded / name).read_bytes()
    full = RunView(recorded)
    spans, events = {s.span_id: s for s in full.spans()}, list(full.terminal_events())
    copy = tmp_path / "run"
    shutil.copytree(recorded, copy)
    for cut in [*range(len(whole) - 400, len(whole)), *range(0, len(whole), 4001)]:
        (copy / name).write_bytes(whole[:cut])

        run = RunView(copy)

        for span in run.spans():
            assert span.name == spans[span.span_id].name
            assert span.end_ns is None or span == spans[span.span_id]
        assert list(run.terminal_events()) == events[: len(run.terminal_events())]
        torn = cut - (whole[:cut].rfind(b"\n") + 1)
        told = any(name in w and "middle of a record" in w for w in run.warnings())
        assert told == (torn > 0 and name != layout.CALLS)
        run.call_body(f"{3:016x}")
