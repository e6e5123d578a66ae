"""The Why panel: verdict and cause, what the tests said, where it went wrong, and what the record itself lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cabtrace.model.outcome import ENDINGS
from replay import display
from replay.document import Line, Tone, heading, line, paragraphs, words
from replay.run import ReplayRun, Snapshot

_ERRORS_SHOWN = 50
_TAIL_CHARS = 8 * 1024


def why_panel(run: ReplayRun, snapshot: Snapshot) -> Iterator[Line]:
    """Answers, most important first."""
    yield from verdict_lines(snapshot)
    verification = run.verification()
    if verification:
        yield Line()
        yield from tests_lines(verification)
    if snapshot.timeline.errors:
        yield Line()
        yield from error_lines(snapshot)
    yield Line()
    yield from record_lines(snapshot)


def verdict_lines(snapshot: Snapshot) -> Iterator[Line]:
    """The verdict in words."""
    header = snapshot.header
    sign, tone = display.verdict(header, live=snapshot.live, aborted=snapshot.aborted)
    cause = header.cause.value if header.cause else ""
    yield line((sign, tone), words(f"  {cause}" if cause else "", Tone.STRONG))
    if header.cause:
        yield line(words(f"{ENDINGS[header.cause].meaning[:1].upper()}{ENDINGS[header.cause].meaning[1:]}."))
    if header.cause_detail:
        yield from paragraphs(header.cause_detail, max_chars=_TAIL_CHARS)
    if header.provisional:
        yield line(words("! Provisional: not for citation.", Tone.WARN))


def tests_lines(verification: Mapping[str, Any]) -> Iterator[Line]:
    """The verifier's result and the tests by name."""
    tests = verification.get("tests")
    rows = [t for t in tests if isinstance(t, Mapping)] if isinstance(tests, list) else []
    passed = sum(t.get("passed") is True for t in rows)
    exit_code = verification.get("exit_code")
    yield heading(f"Tests: {passed} of {len(rows)} passed" if rows else "Tests")
    yield line(words("exit code ", Tone.KEY), words(display.UNKNOWN if exit_code is None else str(exit_code)))
    if isinstance(problem := verification.get("problem"), str) and problem:
        yield from paragraphs(f"! {problem}", Tone.WARN, max_chars=2000)
    for test in sorted(rows, key=lambda t: t.get("passed") is True)[:500]:
        sign, tone = test_sign(test.get("passed"))
        yield line(words(f"{sign} ", tone), words(str(test.get("name", ""))))
    for key in ("stdout_tail", "stderr_tail"):
        if isinstance(tail := verification.get(key), str) and tail.strip():
            yield Line()
            yield line(words(key.replace("_", ", its "), Tone.KEY))
            yield from paragraphs(tail.strip("\n"), Tone.DIM, max_chars=_TAIL_CHARS, indent=2)


def test_sign(passed: object) -> tuple[str, Tone]:
    """How a test ended: a sign and a word."""
    if passed is True:
        return "✓ pass", Tone.GOOD
    return ("✗ FAIL", Tone.BAD) if passed is False else ("? unknown", Tone.DIM)


def error_lines(snapshot: Snapshot) -> Iterator[Line]:
    """Spans that failed, in order of time."""
    errors = snapshot.timeline.errors
    yield heading(f"Errors ({len(errors):,})")
    for marker in errors[:_ERRORS_SHOWN]:
        span = snapshot.timeline.row(marker.row).span
        yield line(
            words(f"{display.clock(marker.offset_ns)}  ", Tone.DIM),
            words("✗ ", Tone.BAD),
            words(display.title(span)),
            words(f"  {span.status_message[:500]}", Tone.DIM),
            indent=13,
        )
    if len(errors) > _ERRORS_SHOWN:
        yield line(words(f"… and {len(errors) - _ERRORS_SHOWN:,} more; n goes to the next.", Tone.DIM))


def record_lines(snapshot: Snapshot) -> Iterator[Line]:
    """What is wrong with the record itself."""
    completeness = snapshot.header.completeness
    yield heading("The record")
    yield line(words("model calls  ", Tone.KEY), words(completeness.model_calls))
    yield line(words("records lost ", Tone.KEY), words(display.count(completeness.lost.total)))
    for sentence in snapshot.header.sandbox.left_open:
        yield line(words("! ", Tone.WARN), words(f"sandbox: {sentence}"[:2000]), indent=2)
    for sentence in snapshot.warnings:
        yield line(words("! ", Tone.WARN), words(sentence[:2000]), indent=2)
    if not snapshot.warnings:
        yield line(words("✓ ", Tone.GOOD), words("Nothing is known to be missing."))
