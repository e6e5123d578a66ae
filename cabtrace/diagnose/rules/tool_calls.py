"""The agent's tools: errors that nobody heeded, the same call again and again, a machine that did not play along."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Finding, Severity
from cabtrace.diagnose.normal import normal_text
from cabtrace.diagnose.tools import ToolUse
from cabtrace.diagnose.words import count, quote, tail
from cabtrace.model.outcome import Cause

_REPEATS = 3
_LONGEST_CYCLE = 3
_MACHINE = (
    ("disk_full", re.compile(r"No space left on device|Disk quota exceeded"), "The disk was full"),
    (
        "out_of_memory",
        re.compile(r"MemoryError\b|Cannot allocate memory|Out of memory|JavaScript heap out of memory"),
        "The memory ran out",
    ),
    (
        "no_network",
        re.compile(r"Could not resolve host|Temporary failure in name resolution|Network is unreachable"),
        "The network was not there",
    ),
)
_JUDGED = (Cause.TESTS_FAILED, Cause.AGENT_ERROR)
_BROKE = (Cause.SANDBOX_FAILED, Cause.HARNESS_FAILED, Cause.VERIFIER_FAILED)


@dataclass(slots=True)
class _Later:
    """What came after a tool call and went well."""

    programs: set[str] = field(default_factory=set)
    checked: bool = False
    installed: bool = False
    wrote: bool = False
    tried_to_write: bool = False

    def add(self, use: ToolUse) -> None:
        self.tried_to_write |= use.writes
        if not use.failed:
            self.programs.add(use.program)
            self.checked |= use.checks
            self.installed |= use.installs
            self.wrote |= use.writes

    def mended(self, use: ToolUse) -> bool:
        """A failed step counts as mended when its program, or another of its sort, went well later."""
        if use.program in self.programs:
            return True
        if use.checks:
            return self.checked
        return self.installed if use.installs else self.wrote or self.checked


def ignored_errors(run: Evidence) -> Iterator[Finding]:
    """The last tool error that nothing put right: a step that was not repeated with success, a check that was left red."""
    later = _Later()
    for use in reversed(run.tools):
        if not use.failed or use.only_looks or later.mended(use):
            later.add(use)
            continue
        unchecked = use.checks and later.tried_to_write
        code = f" (exit code {use.exit_code})" if use.exit_code else ""
        what = "failed and, after later changes, was not run again" if unchecked else "failed and nothing was done about it"
        judged = run.cause in _JUDGED
        yield Finding(
            "unchecked_fix" if unchecked else "ignored_tool_error",
            Severity.WARNING if judged else Severity.INFO,
            use.end_ns if use.end_ns is not None else use.start_ns,
            use.span_id,
            f"{quote(use.name, 40)} `{quote(use.command, 120)}` {what}{code}.",
            tail(use.result, 8),
            (0.55 if unchecked else 0.8) if judged else 0.0,
        )
        return


def loops(run: Evidence) -> Iterator[Finding]:
    """The same calls with the same arguments and the same results, three times over or more."""
    found = _longest_loop(run.tools)
    if found is None:
        return
    first, cycle, times = found
    use = run.tools[first]
    at_end = first + cycle * times >= len(run.tools) - cycle
    what = f"`{quote(use.command, 120)}`" if cycle == 1 else f"{cycle} calls beginning with `{quote(use.command, 100)}`"
    explains = {Cause.TIMEOUT: 0.92, Cause.AGENT_ERROR: 0.9, Cause.TESTS_FAILED: 0.7}
    matters = (at_end or times > 2 * _REPEATS) and run.cause in explains
    yield Finding(
        "loop",
        Severity.WARNING if run.failed else Severity.INFO,
        run.tools[first + cycle * (_REPEATS - 1)].start_ns,
        run.tools[first + cycle * (_REPEATS - 1)].span_id,
        f"The agent went in a circle: {what}, {times} times with the same result.",
        explains=explains[run.cause] if matters and run.cause else 0.0,
    )


def _longest_loop(uses: Sequence[ToolUse]) -> tuple[int, int, int] | None:
    """(first place, length of the cycle, times) of the loop that covers most calls."""
    keys = [(use.key, use.exit_code) for use in uses]
    shapes: dict[int, str] = {}

    def same(one: int, other: int) -> bool:
        if keys[one] != keys[other]:
            return False
        for place in (one, other):
            if place not in shapes:
                shapes[place] = _shape(uses[place].result)
        return shapes[one] == shapes[other]

    best: tuple[int, int, int] | None = None
    for cycle in range(1, _LONGEST_CYCLE + 1):
        run_length = 0
        for place in range(cycle, len(keys) + 1):
            if place < len(keys) and same(place, place - cycle):
                run_length += 1
                continue
            times = run_length // cycle + 1
            if times >= _REPEATS and (best is None or times * cycle > best[1] * best[2]):
                best = (place - run_length - cycle, cycle, times)
            run_length = 0
    return best


def _shape(result: str) -> str:
    """A result without ids and numbers: durations and counters differ from time to time."""
    return re.sub(r"\d+(?:\.\d+)?", "0", normal_text(result[-2_000:]))


def machine(run: Evidence) -> Iterator[Finding]:
    """What was said of the machine itself: a full disk, no memory, no network. By a tool, by the agent, or by cabtrace."""
    for name, pattern, words in _MACHINE:
        explains = 0.85 if run.cause in _JUDGED else 0.98 if run.cause in _BROKE else 0.0
        explains = 0.0 if name == "no_network" else explains
        use = next((u for u in run.tools if u.failed and pattern.search(u.result)), None)
        if use is not None:
            line = next((row for row in use.result.splitlines() if pattern.search(row)), "")
            sentence = f"{words}: `{quote(use.command, 100)}` said {quote(line, 200)!r}."
            yield Finding(name, Severity.WARNING, use.end_ns or use.start_ns, use.span_id, sentence, "", explains)
        elif explains and pattern.search(run.header.cause_detail):
            sentence = f"{words}: {quote(run.header.cause_detail, 300)}"
            yield Finding(name, Severity.ERROR, run.run.end_ns, "", sentence, "", explains)
        elif explains and not run.tools and (line := _shown(run, pattern)):
            span_id = run.container.span_id if run.container else ""
            yield Finding(name, Severity.WARNING, run.agent_end_ns, span_id, f"{words}: {quote(line, 200)}", "", explains)


def _shown(run: Evidence, pattern: re.Pattern[str]) -> str:
    """The line of the terminal's end that says so, for agents whose tools are not known."""
    return next((row for row in run.run.terminal_text(8_000).splitlines() if pattern.search(row)), "")


def failures(run: Evidence) -> Iterator[Finding]:
    """How many tool calls failed at all."""
    failed = [use for use in run.tools if use.failed and not use.only_looks]
    if len(failed) > 1:
        sentence = f"{count(len(failed), 'tool call')} of {len(run.tools)} failed, the first `{quote(failed[0].command, 100)}`."
        yield Finding("tool_failures", Severity.INFO, failed[0].end_ns or failed[0].start_ns, failed[0].span_id, sentence)
