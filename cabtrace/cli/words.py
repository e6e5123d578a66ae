"""How values are worded everywhere: signs, times, sizes. Unknown is said, never shown as 0."""

from __future__ import annotations

from cabtrace.model.outcome import Verdict
from cabtrace.store.catalog import RunSummary

SIGNS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.ERROR: "!"}
_ABSURD = 1e15
STYLES = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.ERROR: "yellow"}


def status_word(run: RunSummary) -> str:
    """A sign and a word, so that it does not hang on colour."""
    if run.header is None:
        return "? unreadable"
    if run.live:
        return "● running"
    if run.aborted:
        return "! aborted"
    verdict = run.header.verdict
    return f"{SIGNS[verdict]} {verdict.value}" if verdict else "– recorded"


def status_style(run: RunSummary) -> str:
    """A Rich style."""
    if run.header is None or run.aborted:
        return "yellow"
    return STYLES.get(run.header.verdict, "") if run.header.verdict else "cyan"


def number(value: object) -> float | None:
    """What a record holds where a number should be; anything else is unknown."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _ABSURD else None


def seconds(value: float | None) -> str:
    """`48.26 s`, `2 m 05 s`, or `unknown`."""
    if value is None:
        return "unknown"
    return f"{value:.2f} s" if value < 100 else f"{int(value // 60)} m {int(value % 60):02d} s"


def count(value: int | float | None) -> str:
    """`4,212` or `unknown`."""
    return "unknown" if value is None else f"{value:,.0f}"
