"""Why a run ended as it did: all rules, the best explanation first, the evidence in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cabtrace.diagnose.evidence import DiagnosableRun, Evidence
from cabtrace.diagnose.finding import Diagnosis, Finding, Rule, Severity
from cabtrace.diagnose.registry import builtin_rules
from cabtrace.model.outcome import ENDINGS


def diagnose(run: DiagnosableRun, plugins: Sequence[Rule] = ()) -> Diagnosis:
    """The first-named cause and the evidence. Pure; works on live, aborted and damaged runs as far as they go."""
    return explain(Evidence(run), plugins)


def explain(evidence: Evidence, plugins: Sequence[Rule] = ()) -> Diagnosis:
    """The same of a run that has been looked at already."""
    found = [finding for rule in (*builtin_rules(), *plugins) for finding in rule(evidence)]
    if evidence.passed:
        found = [_harmless(finding) for finding in found]
    best = max(found, key=lambda f: f.explains, default=None)
    cause = best if best is not None and best.explains > 0 else _plain_cause(evidence)
    return Diagnosis(cause, tuple(in_order(found)), evidence.start_ns, evidence.shares)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By time; what belongs to no instant comes last."""
    return sorted(findings, key=lambda f: (f.time_ns is None, f.time_ns or 0))


def _harmless(finding: Finding) -> Finding:
    """A run that passed has no error to explain."""
    severity = Severity.WARNING if finding.severity is Severity.ERROR else finding.severity
    return replace(finding, severity=severity, explains=0.0)


def _plain_cause(run: Evidence) -> Finding:
    header = run.header
    if header.cause is None:
        words = "The run is not over." if run.run.live else "The run has no verdict."
        return Finding("unknown", Severity.INFO, run.run.end_ns, "", words)
    meaning = ENDINGS[header.cause].meaning
    severity = Severity.INFO if run.passed else Severity.ERROR
    sentence = f"{meaning[:1].upper()}{meaning[1:]}{f': {header.cause_detail}' if header.cause_detail else ''}."
    return Finding(header.cause.value, severity, run.run.end_ns, "", sentence)
