"""One call of a model, whatever API it went through."""

from __future__ import annotations

from dataclasses import dataclass

from cabtrace.model import semconv as sc
from cabtrace.model.span import Attributes, SpanRecord, SpanState


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts by OpenTelemetry's rule: input includes cached, output includes reasoning. None is unknown."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int | None:
        """Input plus output, or None while either is unknown."""
        return None if self.input is None or self.output is None else self.input + self.output


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A model call as its `chat` span tells it; `call_id` is that span's id and the key of its bodies in calls.jsonl."""

    call_id: str
    index: int
    started_ns: int
    ended_ns: int | None
    api: str
    provider: str
    request_model: str
    response_model: str
    request_hash: str
    usage: TokenUsage
    finish_reasons: tuple[str, ...]
    http_status: int | None
    streamed: bool
    time_to_first_chunk_s: float | None
    retry_of: str
    retries: int
    error: str
    incomplete: bool

    @property
    def latency_ms(self) -> float | None:
        """Request sent to last byte received; None while it runs."""
        return None if self.ended_ns is None else (self.ended_ns - self.started_ns) / 1e6


def call_from_span(span: SpanRecord) -> ModelCall:
    """Reads a model call back from its span."""
    return ModelCall(
        call_id=span.span_id,
        index=span.integer(sc.CALL_INDEX) or 0,
        started_ns=span.start_ns,
        ended_ns=span.end_ns,
        api=span.text(sc.CALL_API),
        provider=span.text(sc.GEN_AI_PROVIDER),
        request_model=span.text(sc.GEN_AI_REQUEST_MODEL),
        response_model=span.text(sc.GEN_AI_RESPONSE_MODEL),
        request_hash=span.text(sc.CALL_REQUEST_HASH),
        usage=usage_from_attributes(span),
        finish_reasons=_strings(span.attributes, sc.GEN_AI_FINISH_REASONS),
        http_status=span.integer(sc.HTTP_STATUS),
        streamed=span.attributes.get(sc.GEN_AI_REQUEST_STREAM) is True,
        time_to_first_chunk_s=span.number(sc.GEN_AI_TTFT_S),
        retry_of=span.text(sc.CALL_RETRY_OF),
        retries=span.integer(sc.CALL_RETRIES) or 0,
        error=span.text(sc.ERROR_TYPE) or (span.status_message if span.failed else ""),
        incomplete=span.attributes.get(sc.CALL_INCOMPLETE) is True or span.state is not SpanState.ENDED,
    )


def usage_from_attributes(span: SpanRecord) -> TokenUsage:
    """The `gen_ai.usage.*` attributes of any span."""
    return TokenUsage(
        input=span.integer(sc.GEN_AI_INPUT_TOKENS),
        output=span.integer(sc.GEN_AI_OUTPUT_TOKENS),
        cache_read=span.integer(sc.GEN_AI_CACHE_READ_TOKENS),
        cache_write=span.integer(sc.GEN_AI_CACHE_WRITE_TOKENS),
        reasoning=span.integer(sc.GEN_AI_REASONING_TOKENS),
    )


def _strings(attributes: Attributes, key: str) -> tuple[str, ...]:
    value = attributes.get(key)
    if isinstance(value, str):
        return (value,)
    return tuple(str(v) for v in value) if isinstance(value, list | tuple) else ()
