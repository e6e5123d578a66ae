"""What models were asked and answered, into calls.jsonl, where a recorded run has it as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.importers.messages import said_in
from cabtrace.model import semconv as sc
from cabtrace.model.otlp import clean_text

if TYPE_CHECKING:
    from cabtrace.model.span import SpanRecord
    from cabtrace.redact import Redactor
    from cabtrace.store.writer import RunWriter


class BodyWriter:
    """Writes a request and a response record a call. `count` is of how many calls anything was told."""

    def __init__(self, writer: RunWriter, redactor: Redactor) -> None:
        self._writer = writer
        self._redactor = redactor
        self.count = 0

    def take(self, span: SpanRecord, index: int) -> frozenset[str]:
        """Attributes of the span whose whole content stands in calls.jsonl now."""
        said = said_in(span)
        if said.asked is None and said.answered is None:
            return frozenset()
        self.count += 1
        clean = self._redactor.value
        lines: list[bytes] = []
        if said.asked is not None:
            lines.append(
                _line(span, {"type": "request", "t_ns": span.start_ns, "index": index, "input_messages": clean(said.asked)})
            )
        if said.answered is not None:
            response = {
                "type": "response",
                "t_ns": span.end_ns,
                "status": span.integer(sc.HTTP_STATUS),
                "error": span.text(sc.ERROR_TYPE),
                "output_messages": clean(said.answered),
            }
            lines.append(_line(span, response))
        kept = self._writer.append("calls", b"".join(lines), lines=len(lines))
        return said.keys if kept else frozenset()


def _line(span: SpanRecord, record: dict[str, Any]) -> bytes:
    whole = {"call_id": span.span_id, **record}
    try:
        return orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE)
    except (TypeError, ValueError):  # lone surrogates, bytes
        return clean_text(orjson.dumps(_plain(whole), default=str).decode()).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | float) or _fits(value) else str(value)


def _fits(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63
