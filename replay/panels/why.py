"""The Why panel: verdict and cause, what the tests said, where it went wrong, and what the record itself lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cabtrace.model.outcome import ENDINGS, PROVISIONAL_NOTE
from replay import display
from replay.document import Line, Tone, heading, line, paragraphs, words
from replay.run import ReplayRun, Snapshot

if TYPE_CHECKING:
    from cabtrace.diagnose.finding import Diagnosis, Finding

_ERRORS_SHOWN = 50
_TAIL_CHARS = 8 * 1024
_FINDINGS_SHOWN = 200
_DETAIL_LINES = 8
_SEVERITIES = {"error": ("✗", Tone.BAD), "warning": ("!", Tone.WARN), "info": ("·", Tone.DIM)}


def why_panel(run: ReplayRun, snapshot: Snapshot, diagnosis: Diagnosis | str | None) -> Iterator[Line]:
    """Answers, most important first. `diagnosis` is None while it is worked out."""
    yield from verdict_lines(snapshot)
    yield Line()
    if diagnosis is None:
        yield line(words("looking for the cause …", Tone.DIM))
    elif isinstance(diagnosis, str):
        yield line(words("! ", Tone.WARN), words(diagnosis), indent=2)
    else:
        yield from finding_lines(snapshot, diagnosis)
    verification = run.verification()
    if verification:
        yield Line()
        yield from tests_lines(verification)
    if snapshot.timeline.errors:
        yield Line()
        yield from error_lines(snapshot)
    yield Line()
    yield from record_lines(snapshot)


def finding_lines(snapshot: Snapshot, diagnosis: Diagnosis) -> Iterator[Line]:
    """The cause, then the evidence in order of time; each goes to its instant."""
    yield heading("Cause")
    yield from _finding(snapshot, diagnosis.cause)
    others = [finding for finding in diagnosis.findings if finding != diagnosis.cause]
    if others:
        yield Line()
        yield heading(f"Evidence ({len(others):,})")
    for finding in others[:_FINDINGS_SHOWN]:
        yield from _finding(snapshot, finding)
    if len(others) > _FINDINGS_SHOWN:
        yield line(words(f"… and {len(others) - _FINDINGS_SHOWN:,} more; `cabtrace why` lists them.", Tone.DIM))
    if diagnosis.shares:
        shares = ", ".join(f"{kind} {share:.0%}" for kind, share in diagnosis.shares.items())
        yield line(words("time  ", Tone.KEY), words(f"{shares} of the critical path"))


def _finding(snapshot: Snapshot, finding: Finding) -> Iterator[Line]:
    sign, tone = _SEVERITIES[finding.severity.value]
    timeline = snapshot.timeline
    at_ns = None if finding.time_ns is None else min(max(finding.time_ns - timeline.start_ns, 0), timeline.duration_ns)
    yield line(
        words(f"{'' if at_ns is None else display.clock(at_ns):<9}  ", Tone.DIM),
        words(f"{sign} ", tone),
        words(f"{finding.rule}  ", Tone.KEY),
        words(finding.sentence[:2_000]),
        indent=13,
        target_ns=at_ns,
    )
    for row in finding.detail.split("\n")[:_DETAIL_LINES] if finding.detail else ():
        yield line(words(" " * 13), words(row[:500], Tone.DIM), indent=13)


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
        yield line(words(f"! {PROVISIONAL_NOTE}", Tone.WARN))


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
            target_ns=marker.offset_ns,
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
