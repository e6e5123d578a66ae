"""Trace files of every kind that people have, and such as are none."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from cabtrace.importers import bounded, trace_file
from cabtrace.importers.pieces import Piece, UnreadableError
from cabtrace.importers.trace_file import file_source
from cabtrace.model.otlp_lines import span_line
from cabtrace.model.span import SpanRecord
from tests.support.export_runs import TRACE_ID, many_spans
from tests.support.otlp_receiver import request_from_json

SPANS = list(many_spans(60))
LINES = b"".join(span_line(s) for s in SPANS)


def document() -> dict[str, Any]:
    return {"resourceSpans": [r for line in LINES.splitlines() for r in orjson.loads(line)["resourceSpans"]]}


def protobuf() -> bytes:
    message = TracesData()
    message.ParseFromString(request_from_json(orjson.dumps(document())).SerializeToString())
    return message.SerializeToString()


def prefixed() -> bytes:
    """As the Collector's file exporter writes it."""
    messages = [request_from_json(line).SerializeToString() for line in LINES.splitlines()]
    return b"".join(struct.pack(">I", len(m)) + m for m in messages)


def proto_json() -> bytes:
    """As a plain converter writes it: ids in base64, enums by name."""
    message = TracesData.FromString(protobuf())
    return json_format.MessageToJson(message, use_integers_for_enums=False).encode()


SHAPES: dict[str, Callable[[], bytes]] = {
    "lines": lambda: LINES,
    "one-document": lambda: orjson.dumps(document()),
    "indented": lambda: orjson.dumps(document(), option=orjson.OPT_INDENT_2),
    "byte-order-mark": lambda: b"\xef\xbb\xbf\n" + orjson.dumps(document()),
    "no-last-newline": lambda: LINES.rstrip(),
    "empty-lines": lambda: LINES.replace(b"\n", b"\n\n"),
    "windows-lines": lambda: LINES.replace(b"\n", b"\r\n"),
    "protobuf": protobuf,
    "length-prefixed": prefixed,
    "base64-ids": proto_json,
    "jaeger-v3": lambda: orjson.dumps({"result": document()}),
    "tempo-v2": lambda: orjson.dumps({"trace": document(), "status": "COMPLETE"}),
    "tempo-v1": lambda: orjson.dumps({"batches": document()["resourceSpans"]}),
    "list": lambda: orjson.dumps([document()]),
}


def read(path: Path) -> tuple[list[SpanRecord], list[Piece]]:
    pieces = list(file_source(path, "the file").pieces())
    return [s for p in pieces for s in p.spans], pieces


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_spans(tmp_path: Path, shape: str, packed: bool) -> None:
    data = SHAPES[shape]()
    (tmp_path / "trace").write_bytes(gzip.compress(data) if packed else data)

    spans, pieces = read(tmp_path / "trace")

    assert spans == SPANS
    assert [p for p in pieces if p.rejected or p.bad_lines] == []


def test_a_source_is_read_as_often_as_asked(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(LINES)
    source = file_source(tmp_path / "t", "t")

    assert list(source.pieces()) == list(source.pieces())


def test_broken_lines_and_spans_are_counted_and_the_rest_is_taken(tmp_path: Path) -> None:
    lines = LINES.splitlines(keepends=True)
    no_ids = lines[3].replace(b'"spanId":"', b'"spanId":"zz')
    deep = b'{"resourceSpans":' + b"[" * 900 + b"]" * 900 + b"}\n"
    (tmp_path / "t").write_bytes(b"".join([*lines[:3], no_ids, b"not json\n", deep, b'{"a":1}\n', *lines[4:-1], lines[-1][:100]]))

    spans, pieces = read(tmp_path / "t")

    assert len(spans) == 58
    assert sum(p.rejected for p in pieces) == 1
    assert sum(p.bad_lines for p in pieces) == 4
    assert all(p.problem for p in pieces if p.rejected or p.bad_lines)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "random": (bytes(range(1, 256)) * 40, "neither JSON nor protobuf"),
    "text": (b"hello\nworld\n", "neither JSON nor protobuf"),
    "half-a-document": (orjson.dumps(document())[:-20], "no OTLP trace"),
    "deep": (b'{"resourceSpans":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no OTLP trace"),
    "cut-gzip": (gzip.compress(LINES)[:-30], "broken gzip"),
    "no-gzip": (b"\x1f\x8b" + b"nothing of the kind", "broken gzip"),
    "zstd": (b"\x28\xb5\x2f\xfd0000", "zstd"),
    "absurd-length": (b"\0\xff\xff\xff" + b"x" * 10, ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_trace_is_said_in_one_sentence(tmp_path: Path, name: str) -> None:
    data, words = HOSTILE[name]
    (tmp_path / "t").write_bytes(data)

    if not words:
        spans, pieces = read(tmp_path / "t")
        assert (spans, sum(p.bad_lines for p in pieces)) == ([], 1)
        return
    with pytest.raises(UnreadableError, match=words) as caught:
        read(tmp_path / "t")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["folder", "fifo", "missing", "nul"])
def test_what_is_no_file_is_said_and_never_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    path = Path("a\0b") if name == "nul" else tmp_path / name

    with pytest.raises(UnreadableError, match="the file"):
        read(path)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "FILE_BYTES", 1_000_000)
    (tmp_path / "bomb").write_bytes(gzip.compress(LINES + b" " * 3_000_000 + b"\n"))

    with pytest.raises(UnreadableError, match="more than 1,000,000 bytes"):
        read(tmp_path / "bomb")


def test_a_document_that_must_be_held_whole_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "DOCUMENT_BYTES", 10_000)
    (tmp_path / "t").write_bytes(orjson.dumps(document(), option=orjson.OPT_INDENT_2))

    with pytest.raises(UnreadableError, match="As lines"):
        read(tmp_path / "t")


def test_a_line_that_is_too_long_is_counted_and_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "LINE_BYTES", 4_096)
    lines = LINES.splitlines(keepends=True)
    (tmp_path / "t").write_bytes(lines[0] + b'{"resourceSpans":[], "x":"' + b"y" * 20_000 + b'"}\n' + lines[1])

    spans, pieces = read(tmp_path / "t")

    assert spans == SPANS[:2]
    assert sum(p.bad_lines for p in pieces) == 1


def test_jaegers_own_format(tmp_path: Path) -> None:
    trace = {
        "traceID": TRACE_ID.lstrip("0"),
        "processes": {"p1": {"serviceName": "shop", "tags": [{"key": "host", "type": "string", "value": "h"}]}},
        "spans": [
            {
                "traceID": TRACE_ID, "spanID": "1", "operationName": "root", "startTime": 1_781_663_488_000_001, "duration": 250,
                "processID": "p1", "references": [],
                "tags": [{"key": "span.kind", "type": "string", "value": "server"}, {"key": "n", "type": "int64", "value": 7}],
                "logs": [{"timestamp": 1_781_663_488_000_100, "fields": [
                    {"key": "event", "type": "string", "value": "cache"}, {"key": "hit", "type": "bool", "value": True}]}],
            },
            {
                "traceID": TRACE_ID, "spanID": "2", "operationName": "child", "startTime": 1_781_663_488_000_002, "duration": 5,
                "processID": "p1", "references": [{"refType": "CHILD_OF", "traceID": TRACE_ID, "spanID": "1"}],
                "tags": [{"key": "otel.status_code", "type": "string", "value": "ERROR"},
                         {"key": "error", "type": "bool", "value": True},
                         {"key": "otel.status_description", "type": "string", "value": "it broke"}],
            },
            {"traceID": TRACE_ID, "spanID": "no id", "operationName": "x", "startTime": 1, "processID": "p1"},
        ],
    }  # fmt: skip
    (tmp_path / "t").write_bytes(orjson.dumps({"data": [trace]}))

    (root, child), pieces = read(tmp_path / "t")

    assert (root.span_id, root.parent_id, root.kind, root.attributes) == (f"{1:016x}", None, 2, {"n": 7})
    assert (root.start_ns, root.end_ns) == (1_781_663_488_000_001_000, 1_781_663_488_000_251_000)
    assert root.resource == {"service.name": "shop", "host": "h"}
    assert (root.events[0].name, root.events[0].attributes) == ("cache", {"hit": True})
    assert (child.parent_id, child.failed, child.status_message, child.attributes) == (root.span_id, True, "it broke", {})
    assert sum(p.rejected for p in pieces) == 1


def test_reading_is_bounded_by_what_is_in_it_not_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(gzip.compress(b"x" * 100))
    with bounded.opened(tmp_path / "t", "t", 50) as reader, pytest.raises(UnreadableError, match="50"):
        reader.read(100)
