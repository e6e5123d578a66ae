"""Which of the spans that failed are worth a stop: where something went wrong, not what ended so because of it."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from cabtrace.model import semconv as sc
from cabtrace.store.span_facts import FAILED, KIND_CODES, OPERATION

if TYPE_CHECKING:
    from cabtrace.store.span_order import OrderedFacts
    from replay.forest import Forest

_WORK: Final = frozenset(KIND_CODES[kind] for kind in (sc.SpanKind.MODEL_CALL, sc.SpanKind.TOOL_CALL, sc.SpanKind.VERIFIER))
_HARNESS: Final = frozenset(
    KIND_CODES[kind]
    for kind in (
        sc.SpanKind.CELL,
        sc.SpanKind.TASK_SETUP,
        sc.SpanKind.ADAPTER_RUN,
        sc.SpanKind.CONTAINER,
        sc.SpanKind.SCORE,
        sc.SpanKind.CLEANUP,
    )
)


def error_rows(facts: OrderedFacts, forest: Forest) -> array[int]:
    """Rows of model calls, tool calls and tests that failed, and of the harness where nothing such below it did.

    An agent's own inner spans often fail as a matter of course (a file that need not be there): they count where no other does.
    """
    work, inner = array("i"), array("i")
    for row in range(len(forest.span) - 1, -1, -1):  # from the last, so that what is below a row is known
        span = forest.span[row]
        if forest.group[row] or not facts.flags[span] & FAILED:
            continue
        kind = facts.kinds[span]
        if kind in _HARNESS:
            if not (work and work[-1] < forest.end[row]):
                work.append(row)
        elif kind in _WORK or facts.flags[span] & OPERATION:
            work.append(row)
        else:
            inner.append(row)
    return (work or inner)[::-1]
