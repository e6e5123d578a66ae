"""What an agent's own chatter is, and from how many on it is folded: one rule for every surface that folds."""

from __future__ import annotations

from typing import Final

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord, SpanState

#: So many quiet siblings in a row become one that stands for all of them.
FOLD_AT_LEAST: Final = 4


def is_quiet(span: SpanRecord) -> bool:
    """Whether nothing went wrong in a span, and no convention says that it matters. It folds where nothing is below it."""
    kind = span.attributes.get(sc.SPAN_KIND)
    return (
        (kind is None or kind == sc.SpanKind.AGENT)
        and not span.failed
        and span.state is SpanState.ENDED
        and sc.GEN_AI_OPERATION not in span.attributes
    )
