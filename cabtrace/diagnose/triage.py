"""Failing cells in clusters: those that failed for the same cause and in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cabtrace.diagnose.evidence import DiagnosableRun, Evidence
from cabtrace.diagnose.finding import Diagnosis
from cabtrace.diagnose.normal import normal_text
from cabtrace.diagnose.why import explain
from cabtrace.diagnose.words import quote

_SIGNATURE_CHARS = 200
_TESTS_SHOWN = 5
_BY_TASK = frozenset(("tests_failed", "nothing_changed", "tampering", "unchecked_fix"))
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failing cell. Cells of equal `key` belong together; `signature` is that in words."""

    key: tuple[str, str, str]
    rule: str
    signature: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Cluster:
    """Failing cells that belong together, by the numbers under which they were given; the representative is the first."""

    rule: str
    signature: str
    members: tuple[int, ...]


def failure_of(run: DiagnosableRun) -> Failure:
    """Diagnoses a failing cell and says what it has in common with others."""
    evidence = Evidence(run)
    diagnosis = explain(evidence)
    rule = diagnosis.cause.rule
    signature = _signature(evidence, diagnosis)
    task = run.header.task.id if rule in _BY_TASK else ""
    return Failure((rule, task, signature), rule, f"{task}: {signature}" if task and signature else task or signature, diagnosis)


def cluster(failures: Iterable[Failure]) -> list[Cluster]:
    """Biggest first; of equal size, in the order in which they were met."""
    groups: dict[tuple[str, str, str], list[int]] = {}
    words: dict[tuple[str, str, str], Failure] = {}
    for number, failure in enumerate(failures):
        groups.setdefault(failure.key, []).append(number)
        words.setdefault(failure.key, failure)
    found = [Cluster(words[key].rule, words[key].signature, tuple(members)) for key, members in groups.items()]
    return sorted(found, key=lambda c: -len(c.members))


def _signature(run: Evidence, diagnosis: Diagnosis) -> str:
    """What the tests, the tool or the error said, without what differs from run to run."""
    rule = diagnosis.cause.rule
    if rule in ("tests_failed", "unchecked_fix") and (failing := _failing(run.verification)):
        more = f" and {len(failing) - _TESTS_SHOWN} more" if len(failing) > _TESTS_SHOWN else ""
        return plain(", ".join(failing[:_TESTS_SHOWN]), numbers=False) + more
    if rule in ("ignored_tool_error", "disk_full", "out_of_memory", "broken_image", "loop", "tool_hung"):
        use = next((u for u in run.tools if u.span_id == diagnosis.cause.span_id), None)
        return plain(use.program if use else diagnosis.cause.sentence)
    if rule in ("agent_error", "agent_killed", "agent_missing"):
        last = next((row for row in reversed(diagnosis.cause.detail.split("\n")) if row.strip()), "")
        return plain(f"exit code {run.header.exit_code} {last}", numbers=False)
    if rule in (
        "nothing_changed",
        "tampering",
        "refused",
        "did_not_refuse",
        "timeout",
        "model_hung",
        "recorder_killed",
        "cancelled",
    ):
        return ""
    error = next((span for span in run.error_leaves if span.span_id == diagnosis.cause.span_id), None)
    said = error.status_message if error is not None else run.header.cause_detail
    return plain(said)


def plain(text: str, *, numbers: bool = True) -> str:
    """Recorded text on one line without ids, dates and, where asked, numbers."""
    text = normal_text(text)
    return quote(_NUMBERS.sub("N", text) if numbers else text, _SIGNATURE_CHARS)


def _failing(verification: Mapping[str, object]) -> list[str]:
    tests = verification.get("tests")
    rows = [t for t in tests if isinstance(t, Mapping)] if isinstance(tests, list) else []
    return sorted(str(t.get("name", "")) for t in rows if t.get("passed") is False)
