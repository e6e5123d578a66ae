"""The agent's own telemetry: received while the agent can send, joined to the cell's trace, merged into it at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from cabtrace.model import semconv as sc
from cabtrace.model.merge import Adoption, merge_spans
from cabtrace.model.otlp_lines import log_line, span_line
from cabtrace.otel.cleaning import RecordCleaner
from cabtrace.otel.receiver.server import TOKEN_HEADER, OtlpReceiver
from cabtrace.store.seal import Sealed, seal_trace

if TYPE_CHECKING:
    from cabtrace.model.log import LogRecord
    from cabtrace.model.span import SpanRecord
    from cabtrace.otel.recorder import Recorder
    from cabtrace.protocols import LaunchContext, Transcript, TranscriptToolCall
    from cabtrace.redact import Redactor
    from cabtrace.store.seal import Merge


class AgentTelemetry:
    """Listens for one agent between `start` and `stop`; every span that comes is on disk before the agent is answered.

    `container_id` is the id of the span that the agent's own spans hang under; that span need not have started yet.
    """

    def __init__(self, recorder: Recorder, trace_id: str, container_id: str, token: str, listen_host: str = "127.0.0.1") -> None:
        self.traceparent = f"00-{trace_id}-{container_id}-01"
        self._token = token
        self._sink = _Sink(recorder, Adoption(trace_id, container_id, recorder.ids.__contains__, recorder.limits))
        self._receiver = OtlpReceiver(token, self._sink, listen_host=listen_host, limits=recorder.limits)

    def start(self) -> None:
        """Raises CabtraceError where it cannot listen."""
        self._receiver.start()

    def stop(self, grace_s: float = 2.0) -> None:
        """Takes what is still being sent, for `grace_s` at most. Safe to call twice."""
        self._receiver.stop(grace_s)

    def endpoint(self, reach_host: str) -> str:
        """`OTEL_EXPORTER_OTLP_ENDPOINT`: without `/v1/traces`, under the name by which the agent reaches this machine.

        It holds the token, for those CLIs that cannot be given headers.
        """
        host = f"[{reach_host}]" if ":" in reach_host else reach_host
        return f"http://{host}:{self._receiver.port}/{self._token}"

    @property
    def headers(self) -> str:
        """`OTEL_EXPORTER_OTLP_HEADERS`: not needed beside `endpoint`."""
        return f"{TOKEN_HEADER}={self._token}"

    @property
    def counts(self) -> dict[str, int]:
        """What came: the receiver's counts, and `duplicates`, spans that were sent again."""
        return {**self._receiver.counts, "duplicates": self._sink.duplicates}

    def attributes(self) -> dict[str, int]:
        """The counts that are not 0, and those of spans and logs, as attributes of the container span."""
        return {sc.TELEMETRY + k: v for k, v in self.counts.items() if v or k in ("spans", "logs")}


class _Sink:
    """From the receiver's records to lines of the run."""

    def __init__(self, recorder: Recorder, adoption: Adoption) -> None:
        self._writer, self._redactor, self._limits = recorder.writer, recorder.redactor, recorder.limits
        self._adoption = adoption
        self.duplicates = 0

    def spans(self, spans: Sequence[SpanRecord]) -> None:
        """Adopts, cleans and appends."""
        cleaner = RecordCleaner(self._redactor)
        for span in spans:
            adopted = self._adoption.span(cleaner.span(span))
            if adopted is None:
                self.duplicates += 1
            else:
                self._writer.append("trace", span_line(adopted, self._limits), durable=adopted.failed)

    def logs(self, logs: Sequence[LogRecord]) -> None:
        """Adopts, cleans and appends."""
        cleaner = RecordCleaner(self._redactor)
        for log in logs:
            adopted = self._adoption.log(cleaner.log(log))
            self._writer.append("logs", log_line(adopted, self._limits))


def joined(context: LaunchContext, telemetry: AgentTelemetry | None, reach_host: str, cell: Mapping[str, str]) -> LaunchContext:
    """The context with what an agent needs to send its telemetry; `cell` names the cell in everything that it sends."""
    if telemetry is None:
        return context
    return replace(
        context,
        otlp_endpoint=telemetry.endpoint(reach_host),
        otlp_headers=telemetry.headers,
        traceparent=telemetry.traceparent,
        resource_attributes=resource_attributes(cell),
    )


def resource_attributes(attributes: Mapping[str, str]) -> str:
    """`OTEL_RESOURCE_ATTRIBUTES`, by which an agent's records name the cell whatever trace they are in."""
    return ",".join(f"{key}={quote(value, safe='')}" for key, value in attributes.items() if value)


def finish_trace(recorder: Recorder, transcript: Transcript | None = None) -> Sealed:
    """Merges the trace of a run whose agent has ended; see `cabtrace.model.merge`. Never raises."""
    try:
        return seal_trace(recorder.writer, merge_with(transcript, recorder.redactor), limits=recorder.limits)
    except Exception as error:  # noqa: BLE001 - the trace is there as it was recorded, and the run goes on
        cause = (isinstance(error, OSError) and error.strerror) or f"{type(error).__name__}: {error}"
        why = f"The agent's own spans could not be merged into the trace ({cause}); it is as it was recorded."
        return Sealed(changed=False, spans_before=0, spans_after=0, bad_lines=0, notes=(why,))


def merge_with(transcript: Transcript | None, redactor: Redactor) -> Merge:
    """The merge of a trace with a transcript that still holds secrets."""
    if transcript is None:
        return merge_spans
    calls = [_clean_call(redactor.text, call) for call in transcript.tool_calls]
    return partial(merge_spans, transcript=calls, told_calls=transcript.model_calls)


def _clean_call(text: Callable[[str], str], call: TranscriptToolCall) -> TranscriptToolCall:
    return replace(
        call,
        tool_call_id=text(call.tool_call_id),
        name=text(call.name),
        arguments=text(call.arguments),
        result=text(call.result),
        error=text(call.error),
    )
