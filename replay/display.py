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

UNKNOWN = "unknown"
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
        return safe("⏺ LIVE"), Tone.WARN
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


def title(span: SpanRecord) -> SafeText:
    """A span on one line: its name, with what tells it from others of that name first."""
    name = span.name or "(no name)"
    match kind(span):
        case sc.SpanKind.MODEL_CALL if (number := span.integer(sc.CALL_INDEX)) is not None:
            operation, _, model = name.partition(" ")
            name = f"{operation} #{number} {model}"
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


def state_words(span: SpanRecord) -> tuple[SafeText, Tone]:
    """How the span ended: a sign and a word."""
    if span.state is SpanState.RUNNING:
        return safe("⏺ running"), Tone.WARN
    if span.state is SpanState.ABORTED:
        return safe("⊘ never ended"), Tone.BAD
    if span.failed:
        return safe("✗ error"), Tone.BAD
    return safe("✓ ended"), Tone.GOOD
