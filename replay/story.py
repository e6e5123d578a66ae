"""The story of a run as plain text, for pipes and for people without a terminal: `cabtrace replay --plain`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from cabtrace.model import semconv as sc
from cabtrace.text import SafeText, safe
from replay import display
from replay.document import Line, Tone, fields, fit, heading, line, pad, words, wrap
from replay.folding import Folding
from replay.markers import MarkerKind
from replay.panels.calls import calls_panel
from replay.panels.diff import diff_panel
from replay.panels.scores import axis_label
from replay.panels.why import record_lines, tests_lines, verdict_lines
from replay.places import Found
from replay.run import ReplayRun, Snapshot
from replay.timeline import Row

_INDENT_MOST = 12
_ABOVE_MOST = 40


def tell(run: ReplayRun, *, width: int = 100, patch: bool = True, found: Found | None = None) -> Iterator[SafeText]:
    """All of it, line by line; no line is wider than `width` cells unless it cannot be broken. `found` is marked in it."""
    for source in _lines(run, run.snapshot, max(width, 40), patch=patch, found=found):
        for row in wrap(source, max(width, 40)):
            yield safe(row.text.rstrip())


def _lines(run: ReplayRun, snapshot: Snapshot, width: int, *, patch: bool, found: Found | None) -> Iterator[Line]:
    yield from _identity(snapshot)
    if found is not None:
        yield Line()
        yield from _moment(snapshot, found)
    yield Line()
    yield from verdict_lines(snapshot)
    yield from _scores(snapshot)
    yield Line()
    yield heading("What happened")
    yield from _spans(snapshot, width, found)
    yield Line()
    yield heading("Model calls")
    yield from calls_panel(snapshot, snapshot.timeline.duration_ns, width, opened=False)
    yield from _tools(snapshot, width)
    if verification := run.verification():
        yield Line()
        yield from tests_lines(verification)
    if patch:
        yield Line()
        yield heading("Changes")
        yield from diff_panel(run, snapshot)
    yield Line()
    yield from record_lines(snapshot)


def _identity(snapshot: Snapshot) -> Iterator[Line]:
    header = snapshot.header
    yield heading(header.title)
    pairs = (
        ("agent", f"{header.agent.name} {header.agent.version}".strip()),
        ("model", header.model),
        ("task", header.task.id),
        ("sandbox", _sandbox(snapshot)),
        ("started", header.started_at),
        ("ended", header.ended_at or display.UNKNOWN),
        ("wall", display.UNKNOWN if header.duration_s is None else display.duration(header.duration_s * 1e9)),
        ("exit code", display.UNKNOWN if header.exit_code is None else str(header.exit_code)),
        ("run id", header.run_id),
    )
    yield from fields((key, value) for key, value in pairs if value)
    if header.task.instruction:
        yield from fields([("asked", header.task.instruction[:2000])])


def _sandbox(snapshot: Snapshot) -> str:
    sandbox = snapshot.header.sandbox
    return " ".join(filter(None, (sandbox.kind, sandbox.image, sandbox.image_digest)))


def _scores(snapshot: Snapshot) -> Iterator[Line]:
    scores = snapshot.header.scores
    if scores:
        shown = "  ".join(f"{name} {axis_label(result, name)}" for name, result in scores.items())
        yield line(words("scores  ", Tone.KEY), words(shown), indent=8)


def _moment(snapshot: Snapshot, found: Found) -> Iterator[Line]:
    """What was going on at the place that was asked for."""
    timeline = snapshot.timeline
    yield heading(f"At {display.clock(found.offset_ns)}")
    focus = timeline.focus_at(found.offset_ns) if found.row is None else found.row
    rows = [] if focus is None else [focus, *islice(timeline.ancestors(focus), _ABOVE_MOST)]
    if rows and (above := max(timeline.row(rows[-1]).depth, 0)):
        yield line(words(f"… {above:,} levels above", Tone.DIM))
    for row in map(timeline.row, reversed(rows)):
        state, tone = display.state_at(row, found.offset_ns)
        when = display.when_words(row, found.offset_ns)
        yield line(
            words("  " * min(row.depth, _INDENT_MOST)),
            words(display.title(row.span)),
            words(f"  {state}", tone),
            words(f"  {when}", Tone.DIM),
        )
    if (index := snapshot.call_at(found.offset_ns)) is not None:
        yield line(words(f"model call #{snapshot.calls[index].index} was the last to begin by then", Tone.DIM))


def _spans(snapshot: Snapshot, width: int, found: Found | None) -> Iterator[Line]:
    timeline = snapshot.timeline
    hours = display.has_hours(timeline.duration_ns)
    folding = Folding(timeline, timeline.closed())
    rows = sorted(folding.visible, key=timeline.start_of)
    if not rows:
        yield line(words("No span was recorded.", Tone.DIM))
    for place, row in enumerate(map(timeline.row, rows)):
        yield _span_line(row, width, timeline.inside(row.index)[0] if row.index in folding else 0, hours=hours)
        later = timeline.start_of(rows[place + 1]) > found.offset_ns if found and place + 1 < len(rows) else True
        if found and row.start_ns <= found.offset_ns and later:
            yield line(words(f"{display.clock(found.offset_ns, hours=hours)}  ◀ here", Tone.NOW))


def _span_line(row: Row, width: int, inside: int, *, hours: bool) -> Line:
    """`inside`: how many spans it stands for."""
    span = row.span
    margin = "  " * min(row.depth, _INDENT_MOST)
    name = f"{inside:,} quiet spans" if row.group else display.title(span)
    more = f" +{inside:,}" if inside and not row.group else ""
    state, tone = display.state_words(span)
    ended = "" if span.end_ns is not None and not span.failed else f"  {state}"
    lead = f"{display.clock(row.start_ns, hours=hours)}  {display.duration(_took_ns(row)):>7}  {margin}"
    room = width - len(lead) - len(ended) - len(more) - 2
    return line(
        words(lead, Tone.DIM),
        words(f"{display.sign(span)} ", display.tone(span)),
        words(pad(fit(name, max(room, 10)), 0)),
        words(more, Tone.DIM),
        words(ended, tone),
    )


def _took_ns(row: Row) -> int | None:
    return None if row.span.end_ns is None and not row.group else row.end_ns - row.start_ns


def _tools(snapshot: Snapshot, width: int) -> Iterator[Line]:
    timeline = snapshot.timeline
    tools = [m for m in timeline.markers if m.kind is MarkerKind.TOOL_CALL]
    if not tools:
        return
    hours = display.has_hours(timeline.duration_ns)
    yield Line()
    yield heading("Tool calls")
    for marker in tools:
        row = timeline.row(marker.row)
        span = row.span
        arguments = display.detail(span)
        state, tone = display.state_words(span)
        lead = f"{display.clock(marker.offset_ns, hours=hours)}  {display.duration(_took_ns(row)):>7}  "
        room = width - len(lead) - len(state) - 4
        name = span.text(sc.GEN_AI_TOOL_NAME) or span.name
        yield line(
            words(lead, Tone.DIM),
            (fit(safe(f"{name}  {arguments}", max_chars=1000, newlines=False), max(room, 10)), Tone.TOOL),
            words(f"  {state}", tone),
        )
