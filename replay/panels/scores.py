"""The Scores panel: how the composite comes about, then the seed page's breakdown, axis by axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from replay import display
from replay.document import Line, Piece, Tone, line, pad, paragraphs, table, words
from replay.run import Snapshot

_ORDER = ("composite", "pass_rate", "tokens", "latency", "blast_radius", "refusal", "integrity")
_VALUE_CHARS = 8 * 1024
_BAR_CELLS = 10
_MEASURED_FROM = 58  # cells from which on there is room for what was measured, and for a bar
_EIGHTHS = " ▏▎▍▌▋▊▉"
_ITEMS = 50
#: weight, the component that it weighs, the axis that was measured for it
_COMPONENTS = (
    ("pass_rate", "pass_rate", "pass_rate"),
    ("integrity", "integrity", "integrity"),
    ("cost", "cost_efficiency", "tokens"),
    ("latency", "latency_efficiency", "latency"),
    ("blast_radius", "clean_blast", "blast_radius"),
)


def scores_panel(snapshot: Snapshot, offset_ns: int | None = None, width: int = 100) -> Iterator[Line]:
    """What each component adds to the composite, then each axis with its keys and values. They are known at the end only."""
    scores = snapshot.header.scores
    if not scores:
        yield line(words("This run has no scores.", Tone.DIM))
        return
    if (note := as_of_the_end(snapshot, offset_ns)) is not None:
        yield note
    names = [n for n in _ORDER if n in scores] + sorted(n for n in scores if n not in _ORDER)
    if "composite" in scores:
        yield from _sum(scores, width)
        yield Line()
    for name in names:
        label = axis_label(scores[name], name)
        yield line(words(pad(name, 14), Tone.STRONG), words(pad(label, 9), _tone(scores[name])))
    for name in names:
        yield Line()
        version = scores[name].get("version")
        yield line(words(name, Tone.HEAD), words(f"  version {version}" if version else "", Tone.DIM), level=1)
        for key, value in _mapping(scores[name].get("values")).items():
            if name == "composite" and key in ("weights", "components", "composite"):
                continue  # the table says it
            yield from _value_lines(str(key), value)


def as_of_the_end(snapshot: Snapshot, offset_ns: int | None) -> Line | None:
    """A sentence while the playhead is before the end, of which the panel tells."""
    end_ns = snapshot.timeline.duration_ns
    if offset_ns is None or offset_ns >= end_ns:
        return None
    what = "so far, at" if snapshot.live else "as of the end of the run, at"
    return line(words(f"◷ {what} {display.clock(end_ns)}", Tone.WARN))


def _sum(scores: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[Line]:
    """The weighted sum, as `cabtrace.scoring.composite` takes it."""
    values = _mapping(scores["composite"].get("values"))
    weights, components = _mapping(values.get("weights")), _mapping(values.get("components"))
    known: list[tuple[float, float]] = []
    rows: list[tuple[list[Piece], bool, int | None]] = []
    for name, component, axis in _COMPONENTS:
        weight, score = _number(weights.get(name)), _number(components.get(component))
        added = None if weight is None or score is None else weight * score
        if weight is not None and score is not None:
            known.append((weight, weight * score))
        of_axis = _mapping(scores.get(axis))
        rows.append((_row(name, _measured(axis, of_axis), score, weight, added), False, None))
    head = ("component", "measured", "score", "weight", "adds", "")
    columns = [place for place in range(len(head)) if width >= _MEASURED_FROM or place not in (1, 5)]
    shown_rows = (([cells[place] for place in columns], current, at_ns) for cells, current, at_ns in rows)
    right = [place for place, column in enumerate(columns) if column in (2, 3, 4)]
    yield from table([head[place] for place in columns], shown_rows, right=right, gap=1 if width < 72 else 2)
    total, reach = sum(added for _, added in known), sum(weight for weight, _ in known)
    factor = _number(components.get("refusal_factor"))
    if len(known) < len(_COMPONENTS):
        left_out = len(_COMPONENTS) - len(known)
        note = (
            f"{left_out} unknown left out: {total:.3f} of {reach:g} is {total / reach:.3f} of 1"
            if reach
            else "The components were not recorded."
        )
        yield line(words("  " + note, Tone.DIM), indent=2)
        total = total / reach if reach else 0.0
    composite = axis_label(scores["composite"], "composite")
    shown = display.UNKNOWN if not known else f"{total:.3f}"
    yield line(
        words("sum ", Tone.KEY),
        words(shown),
        words("  × refusal factor " if width >= _MEASURED_FROM else " × refusal ", Tone.KEY),
        words(display.UNKNOWN if factor is None else f"{factor:g}"),
        words("  = composite " if width >= _MEASURED_FROM else " = composite ", Tone.KEY),
        words(composite, Tone.STRONG),
        indent=4,
    )


def _row(name: str, measured: str, score: float | None, weight: float | None, added: float | None) -> list[Piece]:
    unknown = Tone.DIM if score is None else Tone.TEXT
    return [
        words(name, Tone.STRONG),
        words(measured, Tone.TEXT if measured != display.UNKNOWN else Tone.DIM),
        words(display.score(score), unknown),
        words("?" if weight is None else f"{weight:g}", Tone.DIM),
        words(display.UNKNOWN if added is None else f"{added:.3f}", unknown),
        words(_bar(score), Tone.SCORE),
    ]


def _bar(score: float | None) -> str:
    """As long as the component is good; nothing where it is unknown."""
    if score is None:
        return ""
    eighths = round(min(max(score, 0.0), 1.0) * _BAR_CELLS * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _measured(axis: str, result: Mapping[str, Any]) -> str:
    """What an axis measured, in its own unit and few words."""
    values = _mapping(result.get("values"))
    if values.get("not_applicable") is True:
        return "not applicable"
    number = _number(values.get({"tokens": "total_tokens", "latency": "wall_clock_ms"}.get(axis, "")))
    match axis:
        case "pass_rate":
            passed = _number(values.get("pass"))
            return display.UNKNOWN if passed is None else "passed" if passed == 1 else "failed" if passed == 0 else f"{passed:g}"
        case "tokens":
            return display.UNKNOWN if number is None else f"{number:,.0f} tokens"
        case "latency":
            return display.UNKNOWN if number is None else display.duration(number * 1e6)
        case "blast_radius":
            odd, total = values.get("unexpected_changes"), _number(values.get("total_changes"))
            if isinstance(odd, list | tuple) and total is not None:
                return f"{len(odd):,} of {total:,.0f} unexpected"
    return axis_label(result, axis)


def axis_label(result: Mapping[str, Any], axis: str = "") -> str:
    """`n/a`, `unknown` or the number: with three digits, or with the unit that the axis counts in."""
    values, value = result.get("values"), _number(result.get("value"))
    if value is None:
        return "n/a" if isinstance(values, Mapping) and values.get("not_applicable") else display.UNKNOWN
    if axis == "latency":
        return display.duration(value * 1e6)
    return f"{value:,.0f} tokens" if axis == "tokens" else display.score(value)


def _tone(result: Mapping[str, Any]) -> Tone:
    return Tone.TEXT if isinstance(result.get("value"), int | float) else Tone.DIM


def _mapping(value: Any) -> Mapping[str, Any]:
    """Scores are as found on disk: what should be an object may be anything."""
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    """A number that can be shown; unknown is None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return float(value)


def _value_lines(key: str, value: Any) -> Iterator[Line]:
    first, *rest = list(paragraphs(_value_text(key, value).rstrip("\n"), max_chars=_VALUE_CHARS))
    yield Line((words("  "), words(pad(key, 24), Tone.KEY), *first.pieces), 26)
    for more in rest:
        yield Line((words(" " * 26), *more.pieces), 26)


def _value_text(key: str, value: Any) -> str:
    """With its unit; lists by commas, what is nested by lines."""
    number = _number(value)
    if value is None:
        return display.UNKNOWN
    if number is not None and key.endswith("_ms"):
        return f"{display.duration(number * 1e6)}  ({number:,.0f} ms)" if number >= 1000 else display.duration(number * 1e6)
    if number is not None and key.endswith("tokens"):
        return f"{number:,.0f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        more = f", and {len(value) - _ITEMS:,} more" if len(value) > _ITEMS else ""
        return ", ".join(display.value_text(item) for item in value[:_ITEMS]) + more or "none"
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_ITEMS]
        return (
            "\n".join(
                f"{name}  {_value_text(str(name), item) if not isinstance(item, Mapping) else display.value_text(item)}"
                for name, item in pairs
            )
            or "none"
        )
    return display.value_text(value)
