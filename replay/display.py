"""How numbers, times and spans read. Unknown is `unknown`, never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cabtrace.model import semconv as sc
from cabtrace.model.outcome import Verdict
from cabtrace.model.span import AttributeValue, SpanRecord, SpanState
from cabtrace.text import SafeText, safe
from replay.document import Tone
from replay.markers import MarkerKind

if TYPE_CHECKING:
    from cabtrace.model.run import RunHeader
    from replay.timeline import Row

UNKNOWN = "unknown"
_USUAL_ENDS: Final = frozenset(("stop", "end_turn", "tool_calls", "tool-calls", "tool_use"))  # of a model call, by API
VERDICTS: Final[dict[str, tuple[str, Tone]]] = {
    Verdict.PASSED: ("✓ PASS", Tone.GOOD),
    Verdict.FAILED: ("✗ FAIL", Tone.BAD),
    Verdict.ERROR: ("! ERROR", Tone.WARN),
}


def duration(time_ns: float | None) -> str:
    """`0.4 ms`, `12 ms`, `3.1 s`, `4m 05s`, `2h 07m`."""
    if time_ns is None:
        return UNKNOWN
    ms = time_ns / 1e6
    if ms < 1:
        return f"{ms:.1f} ms" if ms >= 0.05 else "0 ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1e3
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def clock(offset_ns: int, *, hours: bool = False) -> str:
    """`00:12.300`, with hours where there are any or where they are asked for."""
    total_ms = offset_ns // 1_000_000
    minutes, ms = divmod(total_ms, 60_000)
    tail = f"{ms // 1000:02d}.{ms % 1000:03d}"
    if hours or minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02d}:{tail}"
    return f"{minutes:02d}:{tail}"


def has_hours(duration_ns: int) -> bool:
    """Whether the instants of so long a run are told with hours, all of them alike."""
    return duration_ns >= 3_600 * 10**9


def count(number: int | None) -> str:
    """`4,212`."""
    return UNKNOWN if number is None else f"{number:,}"


def at_words(offset_ns: int) -> str:
    """An instant as `--at` takes it: `12.3s`."""
    return f"{offset_ns / 1e9:.3f}".rstrip("0").rstrip(".") + "s"


def size(n_bytes: int | None) -> str:
    """`512 B`, `1.2 KiB`, `3.4 MiB`."""
    if n_bytes is None:
        return UNKNOWN
    if n_bytes < 1024:
        return f"{n_bytes} B"
    amount = n_bytes / 1024
    for unit in ("KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def speed(factor: float) -> str:
    """`4×`, `0.25×`."""
    return f"{factor:g}×"


def magnified(factor: float) -> str:
    """`×64`, `×1.5`, `×4,096`."""
    return f"×{factor:,.0f}" if factor >= 9.95 else f"×{factor:.2g}"


def score(value: float | None) -> str:
    """Three digits, as the scores are printed everywhere."""
    return UNKNOWN if value is None else f"{value:.3f}"


def value_text(value: AttributeValue) -> str:
    """An attribute's value as people read it; not yet safe."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if value.bit_length() < 10_000 else f"integer of {value.bit_length()} bits"
    if isinstance(value, bytes):
        return f"{len(value)} bytes: {value[:64].hex(' ')}{' …' if len(value) > 64 else ''}"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e15 else repr(value)
    import orjson

    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        return f"<{type(value).__name__}>"


def verdict(header: RunHeader, *, live: bool, aborted: bool) -> tuple[SafeText, Tone]:
    """A sign and a word, so that nobody depends on colours."""
    if live:
        return safe("● LIVE"), Tone.WARN
    if aborted:
        return safe("⊘ ABORTED"), Tone.BAD
    if header.verdict is None and header.status == "finished":  # `cabtrace record`: nothing was tested
        return safe("– RECORDED"), Tone.DIM
    sign, tone = VERDICTS.get(header.verdict or "", ("? UNKNOWN", Tone.DIM))
    return safe(sign), tone


def kind(span: SpanRecord) -> str:
    """The kind that cabtrace gave it; `agent` for the agent's own spans."""
    return span.text(sc.SPAN_KIND) or sc.SpanKind.AGENT


def sign(span: SpanRecord) -> str:
    """One character that tells kinds apart."""
    match kind(span):
        case sc.SpanKind.MODEL_CALL:
            return "◆"
        case sc.SpanKind.TOOL_CALL:
            return "⚙"
        case sc.SpanKind.SCORE:
            return "★"
        case sc.SpanKind.VERIFIER:
            return "▷"
    return "·"


def tone(span: SpanRecord) -> Tone:
    """The tone of a span's bar and sign. Harness spans fail because of something below them, so they stay calm."""
    match kind(span):
        case sc.SpanKind.MODEL_CALL:
            usual = Tone.MODEL
        case sc.SpanKind.TOOL_CALL:
            usual = Tone.TOOL
        case sc.SpanKind.SCORE | sc.SpanKind.VERIFIER:
            usual = Tone.SCORE
        case sc.SpanKind.AGENT:
            usual = Tone.TEXT
        case _:
            return Tone.HARNESS
    return Tone.BAD if span.failed else usual


def marker_sign(marker: MarkerKind) -> tuple[str, Tone]:
    """How a marker shows on the scrubber."""
    match marker:
        case MarkerKind.MODEL_CALL:
            return "◆", Tone.MODEL
        case MarkerKind.TOOL_CALL:
            return "•", Tone.TOOL
        case MarkerKind.TEST:
            return "▷", Tone.SCORE
    return "✗", Tone.BAD


def title(span: SpanRecord, *, model: str = "") -> SafeText:
    """A span on one line: its name, with what tells it from others of that name first. `model` goes without saying."""
    name = span.name or "(no name)"
    match kind(span):
        case sc.SpanKind.MODEL_CALL if (number := span.integer(sc.CALL_INDEX)) is not None:
            operation, _, called = name.partition(" ")
            own = model and (called == model or model.endswith(f"/{called}"))
            name = f"{operation} #{number}" if own else f"{operation} #{number} {called}"
        case sc.SpanKind.TOOL_CALL if tool := span.text(sc.GEN_AI_TOOL_NAME):
            name = tool
        case sc.SpanKind.CELL:
            name = "cell"
        case sc.SpanKind.TASK_SETUP:
            name = name.partition(":")[0] or name
        case sc.SpanKind.ADAPTER_RUN:
            name = f"adapter_run {name.partition(':')[0]}"
    return safe(name, max_chars=400, newlines=False)


def detail(span: SpanRecord) -> SafeText:
    """What a tool was called with, short; "" for other spans."""
    arguments = span.attributes.get(sc.GEN_AI_TOOL_ARGUMENTS)
    if arguments is None:
        return safe("")
    text = value_text(arguments)[:2000]
    if text.startswith("{"):
        import orjson

        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError:
            return safe(text, max_chars=400, newlines=False)
        if isinstance(values, dict) and len(values) == 1:
            text = str(next(iter(values.values())))
    return safe(text, max_chars=400, newlines=False)


def spent(span: SpanRecord) -> SafeText:
    """Of a model call tokens in and out, as far as they are known, and why it ended where that is unusual: `1,204→86 length`."""
    tokens = span.integer(sc.GEN_AI_INPUT_TOKENS), span.integer(sc.GEN_AI_OUTPUT_TOKENS)
    amount = "→".join("?" if number is None else f"{number:,}" for number in tokens) if any(n is not None for n in tokens) else ""
    reasons = span.attributes.get(sc.GEN_AI_FINISH_REASONS)
    ended = " ".join(map(str, reasons)) if isinstance(reasons, list | tuple) else ""
    return safe(f"{amount} {'' if ended.casefold() in _USUAL_ENDS else ended}".strip(), max_chars=80, newlines=False)


def state_words(span: SpanRecord) -> tuple[SafeText, Tone]:
    """How the span ended: a sign and a word."""
    if span.state is SpanState.RUNNING:
        return safe("● running"), Tone.WARN
    if span.state is SpanState.ABORTED:
        return safe("⊘ never ended"), Tone.BAD
    if span.failed:
        return safe("✗ error"), Tone.BAD
    return safe("✓ ended"), Tone.GOOD


def state_at(row: Row, offset_ns: int) -> tuple[SafeText, Tone]:
    """The same as it was at an instant of the run: what had not ended by then was running."""
    if offset_ns < row.start_ns:
        return safe("○ not begun"), Tone.DIM
    if offset_ns < row.end_ns:
        return safe("● running"), Tone.WARN
    return state_words(row.span)


def when_words(row: Row, offset_ns: int) -> str:
    """How that instant lies to the row: `starts in 0.4 s`, `1.0 s in, ends at 00:02.600`, `0.3 s ago`."""
    if offset_ns < row.start_ns:
        return f"starts in {duration(row.start_ns - offset_ns)}"
    since = f"{duration(offset_ns - row.start_ns)} in"
    if row.span.end_ns is None and not row.group:
        return since
    if offset_ns < row.end_ns:
        return f"{since}, ends at {clock(row.end_ns)}"
    return f"{duration(offset_ns - row.end_ns)} ago"
