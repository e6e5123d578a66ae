"""All rules: ours, then those that other packages bring by the entry point `cabtrace.rules`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Final

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Finding, Rule, Severity
from cabtrace.diagnose.rules import model, timeouts, tool_calls, verdict, work
from cabtrace.entry_points import plugins

GROUP: Final = "cabtrace.rules"


def builtin_rules() -> tuple[Rule, ...]:
    """Ours."""
    return (
        verdict.recorder_killed,
        verdict.harness,
        verdict.agent_exit,
        verdict.broken_image,
        verdict.out_of_memory,
        verdict.first_error,
        timeouts.timeout,
        model.failing_calls,
        model.truncated,
        model.empty_answer,
        model.context,
        model.tokens,
        tool_calls.ignored_errors,
        tool_calls.loops,
        tool_calls.machine,
        tool_calls.failures,
        work.tests,
        work.tampering,
        work.unexpected_changes,
        work.nothing_changed,
        work.refusal,
        work.last_words,
        work.time_spent,
        work.record,
    )


def plugin_rules() -> tuple[Rule, ...]:
    """Rules of other packages; one that cannot be loaded or that fails says so as a finding."""
    return tuple(map(_guarded, plugins(GROUP).values()))


def _guarded(entry: EntryPoint) -> Rule:
    def rule(run: Evidence) -> Iterator[Finding]:
        try:
            found: list[Finding] = list(entry.load()(run))
        except Exception as error:  # noqa: BLE001 - someone else's code: its failure must not cost us the diagnosis
            said = f"The rule {entry.name} of another package failed: {type(error).__name__}: {error}"[:500]
            found = [Finding("rule_failed", Severity.INFO, None, "", said)]
        yield from found

    return rule
