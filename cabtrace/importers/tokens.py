"""What the model calls of a trace took in tokens, as the axis of that name counts it."""

from __future__ import annotations

from dataclasses import dataclass

from cabtrace.model import semconv as sc
from cabtrace.model.model_call import usage_from_attributes
from cabtrace.model.span import SpanRecord

_HTTP_ERROR = 400


@dataclass(slots=True)
class TokenCount:
    """Sums over model calls. One of unknown usage makes them unknown; one that the endpoint refused has cost nothing."""

    calls: int = 0
    prompt: int = 0
    completion: int = 0
    known: bool = True

    def add(self, span: SpanRecord) -> None:
        """Takes a model call into account."""
        self.calls += 1
        usage = usage_from_attributes(span)
        if usage.input is not None and usage.output is not None:
            self.prompt += usage.input
            self.completion += usage.output
        elif usage.total is not None or (span.integer(sc.HTTP_STATUS) or 0) < _HTTP_ERROR:
            self.known = False

    def values(self) -> dict[str, int | None]:
        """Under the names of the axis; empty where there was no call."""
        if not self.calls:
            return {}
        known = self.known
        return {
            "prompt_tokens": self.prompt if known else None,
            "completion_tokens": self.completion if known else None,
            "total_tokens": self.prompt + self.completion if known else None,
            "model_calls": self.calls,
        }
