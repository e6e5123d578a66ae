"""One run to one target: source, shape, codec, batches, delivery, and a job in the outbox that outlives this process."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from cabtrace.model.otlp import decode_attributes, spans_from_line
from cabtrace.store import layout
from exporters.otlp.batches import Encoded, Encoder, batches
from exporters.otlp.content import ContentFilter
from exporters.otlp.deliver import Delivery, Stopped
from exporters.otlp.json_codec import JsonCodec
from exporters.otlp.outbox import BusyError, Job, JobFile, Pending, create
from exporters.otlp.outgoing import Shape, outgoing, shaped
from exporters.otlp.pairs import NotPlain
from exporters.otlp.protobuf import ProtobufCodec
from exporters.otlp.retry import Patience, Waiting
from exporters.otlp.settings import PRESETS
from exporters.otlp.transcode import Transcoder
from exporters.source import SpanSource, span_source

if TYPE_CHECKING:
    from cabtrace.store.reader import RunView
    from exporters.otlp.answer import Transport
    from exporters.otlp.settings import Target

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """What became of a run's spans: `delivered` + `rejected` + `waiting` is all of them. `reason` says why any wait."""

    cell_id: str
    trace_id: str
    spans: int
    delivered: int = 0
    rejected: int = 0
    waiting: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    reason: str = ""
    words: dict[str, int] = field(default_factory=dict)
    unreadable_lines: int = 0
    outbox: str = ""
    outbox_problem: str = ""
    note: str = ""  # what the backend may do to the spans that it took
    provisional: bool = False
    folded: int = 0  # quiet spans that others stand for; not among `spans`


@dataclass(frozen=True, slots=True)
class Options:
    """How to send. `store` holds the outbox; None keeps no job."""

    target: Target
    shape: Shape = field(default_factory=Shape)
    patience: Patience = field(default_factory=Patience)
    store: Path | None = None
    preset: str = ""
    waiting: Callable[[Patience], Waiting] = Waiting


class _NoLedger:
    def settle(self, ordinals: Sequence[int], rejected: int) -> None:
        """Nothing is kept."""


def make_transport(target: Target) -> Transport:
    """The transport of a target's protocol. Raises UsageError for certificates that cannot be read."""
    if target.protocol == "grpc":
        from exporters.otlp.grpc_transport import GrpcTransport

        return GrpcTransport(target)
    from exporters.otlp.http_transport import HttpTransport

    return HttpTransport(target, JsonCodec.content_type if target.protocol == "http/json" else ProtobufCodec.content_type)


def export_run(
    run: RunView, options: Options, *, progress: Progress | None = None, resumed: Pending | None = None,
    transport: Transport | None = None,
) -> Report:  # fmt: skip
    """Sends a run, or what a job of the outbox left of it; never raises for what the receiver or the network does."""
    began = time.monotonic()
    source = shaped(span_source(run), options.shape)
    report = Report(
        run.header.cell_id,
        next(iter(source.trace_ids), ""),
        source.spans,
        unreadable_lines=len(source.bad_lines),
        provisional=run.header.provisional,
        folded=source.folded,
    )
    settled = _still_settled(run, source, resumed)
    sender = transport or make_transport(options.target)  # what is wrong with certificates shows before there is a job
    try:
        job_file = _job_file(run, source, options, resumed, report, same=bool(settled))
    except BusyError:
        report.waiting, report.reason = source.spans, "another process is sending it"
        report.outbox = str(resumed.path) if resumed else ""
        if transport is None:
            sender.close()
        return report
    codec = JsonCodec() if options.target.protocol == "http/json" else ProtobufCodec()
    encoder = Encoder(codec, options.target.max_bytes)
    delivery = Delivery(sender, encoder, job_file or _NoLedger(), options.patience, options.waiting)
    try:
        for batch in batches(_encoded(run, source, options.shape, encoder, settled), options.target.max_bytes):
            delivery.send(batch)
            if progress is not None:
                progress(len(settled) + delivery.tally.delivered + delivery.tally.rejected, source.spans)
    except Stopped as stop:
        report.reason = str(stop) or "the receiver took no more"
    except KeyboardInterrupt:
        report.reason = "interrupted"
    finally:
        if transport is None:
            sender.close()
        _fill(report, delivery, settled, resumed, began)
        report.note = _note(options.preset, delivery.tally.accepted_bytes if isinstance(codec, ProtobufCodec) else 0)
        _leave(job_file, report)
    return report


def new_job(run: RunView, source: SpanSource, options: Options) -> Job:
    """The job that this export is."""
    target, header = options.target, run.header
    return Job(
        run=str(run.path.resolve()),
        run_id=header.run_id,
        cell_id=header.cell_id,
        trace_id=next(iter(source.trace_ids), ""),
        spans=source.spans,
        trace_bytes=_trace_bytes(run),
        protocol=target.protocol,
        endpoint=target.endpoint,
        secure=target.secure,
        compression=target.compression,
        certificate=target.certificate,
        client_certificate=target.client_certificate,
        client_key=target.client_key,
        header_names=tuple(sorted(target.headers)),
        preset=options.preset,
        content=options.shape.content,
        timeshift_ns=options.shape.timeshift_ns,
        value_bytes=options.shape.value_bytes,
        fold=options.shape.fold,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _encoded(run: RunView, source: SpanSource, shape: Shape, encoder: Encoder, settled: set[int]) -> Iterator[Encoded]:
    if shape == Shape() and isinstance(encoder.codec, ProtobufCodec):
        yield from _transcoded(run, source, encoder, settled)
        return
    for ordinal, span in enumerate(outgoing(run, source.records(), shape)):
        if ordinal not in settled:
            yield encoder.encode(ordinal, span)


def _transcoded(run: RunView, source: SpanSource, encoder: Encoder, settled: set[int]) -> Iterator[Encoded]:
    """The same spans, those that are plain without a detour over records."""
    content = ContentFilter(run.header.task.instruction)
    transcoder = Transcoder(content)
    around: tuple[object, object, bytes, bytes] = (None, None, b"", b"")
    ordinal = 0
    for line in source.lines():
        try:
            data, resource, scope = transcoder.line(line)
        except (NotPlain, KeyError, TypeError, ValueError, AttributeError, IndexError, struct.error):
            for span in outgoing(run, spans_from_line(orjson.loads(line)), Shape(), content):
                if ordinal not in settled:
                    yield encoder.encode(ordinal, span)
                ordinal += 1
            continue
        if resource is not around[0] or scope is not around[1]:
            attributes = decode_attributes(resource.get("attributes") or [])
            named = encoder.scope(str(scope.get("name", "")), str(scope.get("version", "")))
            around = (resource, scope, encoder.resource(attributes), named)
        if ordinal not in settled:
            yield encoder.encoded(ordinal, around[2], around[3], data)
        ordinal += 1


def _job_file(
    run: RunView, source: SpanSource, options: Options, resumed: Pending | None, report: Report, *, same: bool
) -> JobFile | None:
    if options.store is None:
        return None
    try:
        if resumed is not None and same:
            job_file = JobFile(resumed.path)
        else:
            earlier = JobFile(resumed.path) if resumed is not None else None
            job_file = create(options.store, new_job(run, source, options))
            if earlier is not None:  # nothing was settled, or the run is another one by now
                earlier.finish()
                earlier.close()
    except OSError as error:
        report.outbox_problem = str(error.strerror or error)
        return None
    report.outbox = str(job_file.path)
    return job_file


def _still_settled(run: RunView, source: SpanSource, resumed: Pending | None) -> set[int]:
    """What need not be sent again: nothing, where the run is no longer what it was when the job began."""
    if resumed is None or resumed.job.spans != source.spans or resumed.job.trace_bytes != _trace_bytes(run):
        return set()
    return resumed.settled


def _trace_bytes(run: RunView) -> int:
    try:
        return (run.path / layout.TRACE).stat().st_size
    except OSError:
        return 0


def _fill(report: Report, delivery: Delivery, settled: set[int], resumed: Pending | None, began: float) -> None:
    tally = delivery.tally
    earlier = min(resumed.rejected, len(settled)) if resumed and settled else 0
    report.delivered = tally.delivered + len(settled) - earlier
    report.rejected = tally.rejected + earlier
    report.waiting = max(report.spans - report.delivered - report.rejected, 0)
    report.requests, report.retries, report.words = tally.requests, tally.retries, dict(tally.words)
    report.seconds = time.monotonic() - began


def _note(preset: str, trace_bytes: int) -> str:
    limit = PRESETS[preset].trace_bytes if preset in PRESETS else None
    if limit is None or trace_bytes <= limit:
        return ""
    return (
        f"{preset} drops what is over {limit / 1e6:g} MB of a trace and says nothing of it, unless it is set up for more; "
        f"`cabtrace export verify` tells what it kept"
    )


def _leave(job_file: JobFile | None, report: Report) -> None:
    if job_file is None:
        return
    if report.waiting:
        job_file.stop(report.reason or "killed")
    else:
        job_file.finish()
        report.outbox = ""
    report.outbox_problem = report.outbox_problem or (job_file.problem if report.waiting else "")
    job_file.close()
