"""Trace files: OTLP JSON as lines or as one document, OTLP protobuf as one message or length-prefixed, Jaeger's JSON."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from cabtrace.importers.bounded import BoundedReader, opened
from cabtrace.importers.pieces import Piece, Source, UnreadableError
from cabtrace.importers.usual import UsualDocuments
from cabtrace.limits import MIB
from cabtrace.otel.receiver.batch import Batch, MalformedError, Signal
from cabtrace.otel.receiver.from_json import parse
from cabtrace.otel.receiver.from_protobuf import read_protobuf
from cabtrace.otel.trace_json import read_trace

FILE_BYTES: Final = 8 * 1024 * MIB  # unpacked; read in pieces
DOCUMENT_BYTES: Final = 256 * MIB  # of what must be held whole: one document, one message
LINE_BYTES: Final = 64 * MIB
_PREFIX: Final = struct.Struct(">I")
_HASHED_BYTES: Final = MIB


def file_source(path: Path, where: str) -> Source:
    """The spans of a file, which is called `where` in what is said of it. Raises UnreadableError."""
    with opened(path, where, FILE_BYTES) as reader:
        head = reader.peek()
    kind = "otlp-json" if _is_json(head) else "otlp-protobuf"
    if not head:
        raise UnreadableError(f"{where} is empty.")

    def pieces() -> Iterator[Piece]:
        with opened(path, where, FILE_BYTES) as reader:
            yield from _json(reader) if kind == "otlp-json" else _protobuf(reader)

    return Source(where, kind, pieces, _digest(path, where))


def _is_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _json(reader: BoundedReader) -> Iterator[Piece]:
    """Lines where the first line is a document by itself, else all of it as one document."""
    first = reader.line(LINE_BYTES).removeprefix(b"\xef\xbb\xbf")
    while first and not first.strip():
        first = reader.line(LINE_BYTES)
    try:
        value = orjson.loads(first)
    except orjson.JSONDecodeError:
        yield _document(reader, first)
        return
    usual = UsualDocuments()
    yield _line(usual, value, first)
    while line := reader.line(LINE_BYTES):
        if len(line) >= LINE_BYTES and not line.endswith(b"\n"):
            while (rest := reader.line(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield Piece(bad_lines=1, problem=f"a line is longer than {LINE_BYTES:,} bytes")
        elif line.strip():
            try:
                value = parse(line)
            except MalformedError:
                yield Piece(bad_lines=1, problem="a line is no JSON")
            else:
                yield _line(usual, value, line)


def _line(usual: UsualDocuments, value: Any, text: bytes) -> Piece:
    if (spans := usual.spans(value)) is not None:
        return Piece(spans)
    try:
        batch = read_trace(value, text)
    except MalformedError as error:
        return Piece(bad_lines=1, problem=str(error))
    return _piece(batch)


def _document(reader: BoundedReader, first: bytes) -> Piece:
    data = first + reader.read(DOCUMENT_BYTES + 1)
    if len(data) > DOCUMENT_BYTES:
        raise UnreadableError(
            f"{reader.name} is one JSON document of more than {DOCUMENT_BYTES:,} bytes.",
            hint="As lines, one resourceSpans each, any size can be read.",
        )
    try:
        return _piece(read_trace(parse(data)))
    except MalformedError as error:
        raise UnreadableError(f"{reader.name} is no OTLP trace: {error}.") from error


def _protobuf(reader: BoundedReader) -> Iterator[Piece]:
    head = reader.peek()[:4]
    if head[:1] != b"\0":  # a message begins with the tag of a field; a length of less than 16 MiB with a zero
        yield _message(reader, reader.read(DOCUMENT_BYTES + 1))
        return
    while prefix := reader.read(_PREFIX.size):
        if len(prefix) < _PREFIX.size:
            yield Piece(bad_lines=1, problem="the last message is cut")
            return
        (size,) = _PREFIX.unpack(prefix)
        if size > DOCUMENT_BYTES:
            raise UnreadableError(f"{reader.name} is no OTLP trace: it is neither JSON nor protobuf.")
        data = reader.read(size)
        if len(data) < size:
            yield Piece(bad_lines=1, problem="the last message is cut")
            return
        yield _message(reader, data)


def _message(reader: BoundedReader, data: bytes) -> Piece:
    if len(data) > DOCUMENT_BYTES:
        raise UnreadableError(f"{reader.name} is one message of more than {DOCUMENT_BYTES:,} bytes.")
    try:
        return _piece(read_protobuf(Signal.TRACES, data))
    except MalformedError as error:
        raise UnreadableError(f"{reader.name} is no OTLP trace: it is neither JSON nor protobuf.") from error


def _piece(batch: Batch) -> Piece:
    problem = "a span has no valid ids or times" if batch.rejected else ""
    return Piece(batch.spans, batch.rejected, problem=problem)


def _digest(path: Path, where: str) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            while block := handle.read(_HASHED_BYTES):
                digest.update(block)
    except OSError as error:
        raise UnreadableError(f"{where} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()
