"""What the compare screen says: of the chosen row, and of both runs as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from cabtrace.diagnose.diff.compare import Amount, Comparison
from cabtrace.diagnose.diff.divergence import Divergence, difference
from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.model.run import RunHeader
from cabtrace.text import SafeText, safe
from replay import display
from replay.compare_session import NAMES, CompareSession
from replay.compare_steps import Match, Pair, Step
from replay.document import Line, Piece, Tone, heading, line, pad, paragraphs, table, words

_TEXT_CHARS = 8_000
_TESTS_SHOWN = 200
_MATCHES = {
    Match.SAME: ("=", "the same in both", Tone.DIM),
    Match.ALIKE: ("≈", "alike", Tone.DIM),
    Match.DIFFERS: ("≠", "differs", Tone.WARN),
    Match.LEFT: ("◁", "only in A", Tone.REMOVED),
    Match.RIGHT: ("▷", "only in B", Tone.ADDED),
}
_DIFF_TONES = {"+": Tone.ADDED, "-": Tone.REMOVED, "@": Tone.HUNK}
_AMOUNTS = {"wall_s": "wall", "model_calls": "model calls", "tool_calls": "tool calls"}


def sign(pair: Pair) -> Piece:
    """One character that tells what a pair of steps is."""
    mark, _, tone = _MATCHES[pair.match]
    return words("⋔" if pair.parted else mark, Tone.BAD if pair.parted else tone)


def step_sign(step: Step) -> Piece:
    """One character and a tone by the kind of step."""
    shown, tone = {
        "model": ("◆", Tone.MODEL),
        "tool": ("⚙", Tone.TOOL),
        "test": ("▷", Tone.SCORE),
        "score": ("★", Tone.SCORE),
    }.get(step.kind, ("·", Tone.HARNESS))
    return words(shown, Tone.BAD if step.failed else tone)


def run_name(header: RunHeader, other: RunHeader) -> str:
    """What tells a run from the other one; of equal ones, the attempt."""
    pairs = (
        (header.sweep_id, other.sweep_id),
        (header.agent.name, other.agent.name),
        (header.model, other.model),
        (header.task.id, other.task.id),
    )
    parts = [one for one, another in pairs if one != another] or [header.agent.name]
    return " / ".join(parts) + f" #{header.attempt}"


def title(session: CompareSession) -> str:
    """What the header names: the tasks."""
    return "compare  " + " ⇄ ".join(dict.fromkeys(run.snapshot.header.task.id for run in session.runs))


def standing(session: CompareSession) -> list[Piece]:
    """What the header says at the right: what to beware of, whether the runs parted, and how the playheads move."""
    provisional = any(run.snapshot.header.provisional for run in session.runs)
    return [
        words(f"! {PROVISIONAL_NOTE}  " if provisional else "", Tone.WARN),
        words("no divergence  " if session.compared.summary.divergence is None else "", Tone.GOOD),
        words("⇄ locked " if session.locked else "╱ free ", Tone.DIM if session.locked else Tone.WARN),
    ]


def side_title(session: CompareSession, side: int) -> SafeText:
    """`A  codex #1`, above a terminal."""
    headers = [run.snapshot.header for run in session.runs]
    return safe(f"{NAMES[side]}  {run_name(headers[side], headers[1 - side])}", max_chars=200, newlines=False)


def steps_title(session: CompareSession) -> str:
    """`Steps 21, 4 differences`."""
    differ = len(session.differences)
    return f"Steps {len(session.pairs):,}, {differ:,} difference{'s' * (differ != 1)}"


def panel(session: CompareSession) -> Iterator[Line]:
    """The chosen row, then the runs."""
    summary = session.compared.summary
    if session.pair is not None:
        yield from _row(session.pair, summary)
        yield Line()
    yield from _outcome(summary)
    yield from _amounts(summary)
    yield from _tests(summary)
    yield from _files(summary)


def _row(pair: Pair, summary: Comparison) -> Iterator[Line]:
    _, meaning, tone = _MATCHES[pair.match]
    found = summary.divergence
    if pair.parted and found is not None:
        yield line(words("⋔ First divergence", Tone.BAD))
        yield line(words(found.sentence, Tone.STRONG))
        yield from _told(found)
        return
    yield line(sign(pair), words(f" {meaning}", tone), words(f"  {pair.note}" if pair.note else "", Tone.STRONG))
    for side in (0, 1):
        step = pair.side(side)
        if step is not None:
            yield from _step(step, NAMES[side], full=side == 0 or pair.match is not Match.SAME)
    if pair.left and pair.right and pair.left.tool and pair.right.tool:
        yield from _difference(difference(pair.left.detail, pair.right.detail))
        shown = difference(pair.left.tool.result, pair.right.tool.result)
        if shown:
            yield line(words("results", Tone.KEY))
            yield from _difference(shown)


def _step(step: Step, name: str, *, full: bool) -> Iterator[Line]:
    times = f"  at {display.clock(step.start_ns)}, {display.duration(step.end_ns - step.start_ns)}"
    yield line(words(f"{name}  ", Tone.KEY), step_sign(step), words(f" {step.text}", Tone.STRONG), words(times, Tone.DIM))
    if step.call is not None:
        usage = step.call.usage
        counts = f"{display.count(usage.input)} prompt, {display.count(usage.output)} completion"
        yield line(words(f"   {counts}, {', '.join(step.call.finish_reasons) or 'finish unknown'}", Tone.DIM))
    elif full and step.detail:
        yield from paragraphs(step.detail, max_chars=_TEXT_CHARS, indent=3)
    if step.tool is not None and step.tool.exit_code:
        yield line(words(f"   exit code {step.tool.exit_code}", Tone.BAD))


def _told(found: Divergence) -> Iterator[Line]:
    for name, text, tone in ((NAMES[0], found.left, Tone.REMOVED), (NAMES[1], found.right, Tone.ADDED)):
        for place, row in enumerate(text.split("\n") if text else ()):
            yield line(words(f"{name if place == 0 else ' '}  ", Tone.KEY), words(row, tone), indent=3)
    if found.detail:
        yield Line()
        yield from _difference(found.detail)


def _difference(text: str) -> Iterator[Line]:
    for row in text.split("\n") if text else ():
        yield from paragraphs(row, _DIFF_TONES.get(row[:1], Tone.DIM))


def _outcome(summary: Comparison) -> Iterator[Line]:
    rows = [*summary.outcome, *summary.identity]
    yield heading("Runs")
    yield from table(("", "A", "B"), (_cells(name, one, other, one != other) for name, one, other in rows))


def _cells(name: str, one: str, other: str, differs: bool) -> tuple[list[Piece], bool, None]:
    tone = Tone.STRONG if differs else Tone.DIM
    return [words(name.replace("_", " "), Tone.KEY), words(one, tone), words(other, tone)], False, None


def _amounts(summary: Comparison) -> Iterator[Line]:
    rows = [
        _cells(_AMOUNTS.get(a.name, a.name.removeprefix("score:")), *_values(a), a.signal not in ("same",))
        for a in summary.amounts
    ]
    yield Line()
    yield heading("Amounts")
    yield from table(("", "A", "B"), rows, right=(1, 2))


def _values(amount: Amount) -> tuple[str, str]:
    def shown(value: float | None) -> str:
        if value is None:
            return display.UNKNOWN
        return display.duration(value * 1e9) if amount.name == "wall_s" else f"{value:,.3f}".rstrip("0").rstrip(".")

    return shown(amount.left), shown(amount.right)


def _tests(summary: Comparison) -> Iterator[Line]:
    if not summary.tests:
        return
    state = {True: words("✓ passed", Tone.GOOD), False: words("✗ failed", Tone.BAD), None: words("– not run", Tone.DIM)}
    yield Line()
    yield heading(f"Tests that changed state: {len(summary.tests):,}")
    shown = summary.tests[:_TESTS_SHOWN]
    yield from table(("A", "B", ""), (([state[one], state[other], words(name)], False, None) for name, one, other in shown))
    if len(summary.tests) > _TESTS_SHOWN:
        yield line(words(f"… and {len(summary.tests) - _TESTS_SHOWN:,} more", Tone.DIM))


def _files(summary: Comparison) -> Iterator[Line]:
    meaning = {"same": "the same", "differs": "differs", "left": "only in A", "right": "only in B"}
    if not summary.files:
        return
    yield Line()
    yield heading("Files")
    width = max(len(m) for m in meaning.values())
    for path, state in summary.files:
        yield line((pad(meaning[state], width), Tone.DIM if state == "same" else Tone.WARN), words(f"  {path}"))
    if summary.patch:
        yield Line()
        yield from _difference(summary.patch)
