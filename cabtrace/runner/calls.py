"""The proxy's sink: each model call becomes a `chat` span, an event on adapter_run, and records in calls.jsonl."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cabtrace.model import semconv as sc
from cabtrace.model.model_call import TokenUsage
from cabtrace.runner.call_bodies import CallBodyWriter
from cabtrace.runner.proxy.apis import Api, find_api
from cabtrace.runner.proxy.apis.facts import RequestFacts, ResponseFacts
from cabtrace.runner.proxy.decode import decode_body
from cabtrace.runner.tool_calls import ToolCallRecorder

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from cabtrace.otel.recorder import Recorder
    from cabtrace.runner.proxy.sink import CallRequest

_AGENTS_OWN: Final = ("cancelled", "agent_disconnected")  # ends of calls that the endpoint has no part in
_WORDS: Final = {
    "connect_error": "the endpoint cannot be reached",
    "timeout": "the endpoint did not answer in time",
    "upstream_reset": "the endpoint closed the connection",
}
_REPORTS: Final = "/analytics/"  # where Codex tells its provider what a turn cost
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class CallRecorder:
    """Records the calls of one cell. Its methods run on the proxy's thread."""

    def __init__(self, recorder: Recorder, parent: Span, adapter_run: Span, *, bodies: bool = True) -> None:
        self._recorder = recorder
        self._parent = parent
        self._adapter_run = adapter_run
        self.tools = ToolCallRecorder(recorder, parent)
        self._bodies = bodies
        self._mutex = threading.Lock()
        self._failed: dict[str, tuple[str, int]] = {}  # request hash -> call that failed, retries so far
        self._open: set[RecordedCall] = set()
        self.count = 0
        self.answered = 0
        self.failed = 0  # on the endpoint's side
        self.unrecorded_requests = 0
        self.doubtful_requests = 0
        self.rejections: dict[str, int] = {}
        self.input_tokens = 0
        self.output_tokens = 0
        self.last_error = ""

    def request(self, request: CallRequest) -> RecordedCall:
        """A call begins: its span is visible on disk, at most a few milliseconds after the endpoint saw the request."""
        api = find_api(request.method, request.path)
        if api is None:
            raise ValueError(f"no API is known for {request.path}")
        facts = api.request_facts(request.body)
        with self._mutex:
            self.count += 1
            index = self.count
            retry = self._failed.get(facts.request_hash)
        call = RecordedCall(self, self._recorder, request, api, facts, index, retry)
        with self._mutex:
            self._open.add(call)
        self.tools.request(facts.messages, call.started_ns)
        return call

    def unrecorded(self, method: str, path: str) -> None:
        """A path of no known API was passed through; it may have been a model call, unless it is of a kind that none is."""
        with self._mutex:
            self.unrecorded_requests += 1
            self.doubtful_requests += method == "POST" and _REPORTS not in path

    def rejected(self, reason: str) -> None:
        """A request was refused."""
        with self._mutex:
            self.rejections[reason] = self.rejections.get(reason, 0) + 1

    def close(self) -> None:
        """Ends calls that are still open, as incomplete."""
        with self._mutex:
            pending = list(self._open)
        for call in pending:
            call.end("cancelled")

    def parent_span(self) -> Span:
        """What calls hang under."""
        return self._parent

    @property
    def records_bodies(self) -> bool:
        """Whether calls.jsonl is written."""
        return self._bodies

    def finished(self, call: RecordedCall, facts: ResponseFacts, event: Mapping[str, Any], *, failed: bool, end_ns: int) -> None:
        """Bookkeeping of a call that is over."""
        with self._mutex:
            self._open.discard(call)
            if failed:
                self._failed[call.request_hash] = (call.call_id, call.retries)
                self.failed += call.error not in _AGENTS_OWN
                self.last_error = call.why(facts)
            else:
                self._failed.pop(call.request_hash, None)
                self.answered += 1
                self.input_tokens += facts.usage.input or 0
                self.output_tokens += facts.usage.output or 0
        self.tools.answer(facts.messages, call.call_id, end_ns)
        self._recorder.event(self._adapter_run, sc.MODEL_CALL_EVENT, event, end_ns)


class RecordedCall:
    """One call while it lasts. `end` may be called twice; the first counts."""

    def __init__(
        self,
        owner: CallRecorder,
        recorder: Recorder,
        request: CallRequest,
        api: Api,
        facts: RequestFacts,
        index: int,
        retry: tuple[str, int] | None,
    ) -> None:
        self._owner, self._recorder, self._api, self._facts = owner, recorder, api, facts
        self.request_hash = facts.request_hash
        self.retries = retry[1] + 1 if retry else 0
        self.error = ""
        self._index = index
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}
        self._ended = False
        self.started_ns = recorder.clock.from_monotonic_ns(request.received_ns)
        self._first_ns: int | None = None
        attributes = request_attributes(api.provider, facts, request, index)
        if retry:
            attributes |= {sc.CALL_RETRY_OF: retry[0], sc.CALL_RETRIES: self.retries}
        self._span = recorder.start(
            f"chat {facts.model or 'unknown'}",
            sc.SpanKind.MODEL_CALL,
            parent=owner.parent_span(),
            attributes=attributes,
            client=True,
            start_ns=self.started_ns,
        )
        self.call_id = f"{self._span.get_span_context().span_id:016x}"
        self._body = CallBodyWriter(recorder, self.call_id, enabled=owner.records_bodies)
        self._body.request(self.started_ns, index, request, facts)

    def response(self, status: int, headers: Mapping[str, str]) -> None:
        """Status and headers of the answer."""
        self._status, self._headers = status, headers
        self._body.response_started(headers)

    def chunk(self, data: bytes) -> None:
        """A piece of the answer."""
        now_ns = self._recorder.clock.now_ns()
        if self._first_ns is None:
            self._first_ns = now_ns
        self._body.chunk(now_ns, data)

    def end(self, error: str | None) -> None:
        """The call is over; on the medium when this returns."""
        if self._ended:
            return
        self._ended = True
        end_ns = self._recorder.clock.now_ns()
        encoding = self._headers.get("content-encoding", "")
        body = decode_body(encoding, self._body.raw(), self._recorder.limits.recorded_body_bytes).data
        facts = self._api.response_facts(self._status or 0, self._headers.get("content-type", ""), body)
        says = facts.messages or facts.finish_reasons or facts.error_type or facts.usage != TokenUsage()
        incomplete = error is not None or (self._status is not None and self._status < 300 and not (facts.done and says))
        self.error = error or facts.error_type or (str(self._status) if (self._status or 0) >= 400 else "")
        if incomplete and not self.error:
            self.error = "incomplete"
        attributes = response_attributes(facts, self._status, self._body.chunk_count, self._body.total_bytes)
        attributes[sc.CALL_LATENCY_MS] = (end_ns - self.started_ns) / 1e6
        if self._first_ns is not None:
            attributes[sc.GEN_AI_TTFT_S] = (self._first_ns - self.started_ns) / 1e9
        if incomplete:
            attributes[sc.CALL_INCOMPLETE] = True
        self._span.set_attributes(attributes)
        self._body.end(end_ns, self._status, self._headers, self.error, facts)
        self._recorder.end(self._span, error=self.error, message=facts.error_message or "", end_ns=end_ns)
        event = {k: v for k, v in attributes.items() if k != sc.GEN_AI_RESPONSE_ID}
        event |= {sc.CALL_INDEX: self._index, sc.CALL_REQUEST_HASH: self.request_hash, "cabtrace.call.id": self.call_id}
        self._owner.finished(self, facts, event, failed=bool(self.error), end_ns=end_ns)

    def why(self, facts: ResponseFacts) -> str:
        """Why it failed, for the cell's cause."""
        if self.error == "incomplete":
            kind = self._headers.get("content-type", "").partition(";")[0].strip() or "no content type"
            return f"the answer broke off, or is none of this API (HTTP {self._status}, {kind})"
        if facts.error_message and self._status:
            return f"HTTP {self._status}: {facts.error_message}"
        return facts.error_message or _WORDS.get(self.error, self.error)


def request_attributes(provider: str, facts: RequestFacts, request: CallRequest, index: int) -> dict[str, Any]:
    """What a `chat` span knows when it starts."""
    attributes: dict[str, Any] = {
        sc.GEN_AI_OPERATION: "chat",
        sc.GEN_AI_PROVIDER: provider,
        sc.CALL_INDEX: index,
        sc.CALL_API: request.api,
        sc.CALL_REQUEST_HASH: facts.request_hash,
        sc.CALL_REQUEST_BYTES: len(request.body),
    }
    if facts.stream is not None:
        attributes[sc.GEN_AI_REQUEST_STREAM] = facts.stream
    if facts.model:
        attributes[sc.GEN_AI_REQUEST_MODEL] = facts.model
    if _TRACEPARENT.fullmatch(traceparent := request.headers.get("traceparent", "")):
        # The span that it names arrives later if at all: until the trace is merged the call hangs under the container.
        attributes[sc.CALL_TRACEPARENT] = traceparent
    known = ("max_tokens", "temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty")
    attributes |= {f"gen_ai.request.{k}": v for k, v in facts.params.items() if k in known and isinstance(v, int | float)}
    return attributes


def response_attributes(facts: ResponseFacts, status: int | None, chunks: int, body_bytes: int) -> dict[str, Any]:
    """What it knows at the end; unknown values are left out, never 0."""
    usage = facts.usage
    attributes: dict[str, Any] = {
        sc.HTTP_STATUS: status,
        sc.GEN_AI_RESPONSE_MODEL: facts.model or None,
        sc.GEN_AI_RESPONSE_ID: facts.response_id or None,
        sc.GEN_AI_FINISH_REASONS: list(facts.finish_reasons) or None,
        sc.GEN_AI_INPUT_TOKENS: usage.input,
        sc.GEN_AI_OUTPUT_TOKENS: usage.output,
        sc.GEN_AI_CACHE_READ_TOKENS: usage.cache_read,
        sc.GEN_AI_CACHE_WRITE_TOKENS: usage.cache_write,
        sc.GEN_AI_REASONING_TOKENS: usage.reasoning,
        sc.CALL_CHUNKS: chunks,
        sc.CALL_RESPONSE_BYTES: body_bytes,
    }
    return {key: value for key, value in attributes.items() if value is not None}


def call_completeness(calls: CallRecorder) -> dict[str, Any]:
    """Whether every model call is on record: `unknown` while the agent made none that we saw."""
    other = calls.unrecorded_requests
    state = "unknown" if not calls.count else "partial" if calls.doubtful_requests or calls.rejections else "complete"
    return {"model_calls": state, "unrecorded_requests": other + sum(calls.rejections.values())}


def silence(calls: CallRecorder) -> str:
    """That no model call came, in words; "" where one did."""
    if calls.count:
        return ""
    refused, other = sum(calls.rejections.values()), calls.unrecorded_requests
    if refused:
        reasons = ", ".join(sorted(calls.rejections))
        return f"no model call was made: the proxy refused all {refused} requests of the agent ({reasons})"
    if other:
        return f"no model call was made: {other} requests of the agent were for paths of no known API"
    return "no model call came by way of the proxy: the agent made none, or does not take its endpoint from where it is told"


class LateSink:
    """The proxy must listen before the span exists that its calls hang under; nothing calls it before then."""

    def __init__(self) -> None:
        self.target: CallRecorder | None = None

    def request(self, request: CallRequest) -> RecordedCall:
        """Passed on."""
        return self._connected().request(request)

    def unrecorded(self, method: str, path: str) -> None:
        """Passed on."""
        self._connected().unrecorded(method, path)

    def rejected(self, reason: str) -> None:
        """Passed on."""
        self._connected().rejected(reason)

    def _connected(self) -> CallRecorder:
        if self.target is None:
            raise RuntimeError("a model call before the agent was started")
        return self.target
