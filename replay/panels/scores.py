"""The Scores panel: the seed page's breakdown, axis by axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from replay import display
from replay.document import Line, Tone, line, pad, paragraphs, words
from replay.run import Snapshot

_ORDER = ("composite", "pass_rate", "tokens", "latency", "blast_radius", "refusal", "integrity")
_VALUE_CHARS = 8 * 1024


def scores_panel(snapshot: Snapshot) -> Iterator[Line]:
    """Each axis with its headline, then its keys and values."""
    scores = snapshot.header.scores
    if not scores:
        yield line(words("This run has no scores.", Tone.DIM))
        return
    names = [n for n in _ORDER if n in scores] + sorted(n for n in scores if n not in _ORDER)
    for name in names:
        yield line(words(pad(name, 14), Tone.STRONG), words(pad(axis_label(scores[name]), 9), _tone(scores[name])))
    for name in names:
        yield Line()
        version = scores[name].get("version")
        yield line(words(name, Tone.HEAD), words(f"  version {version}" if version else "", Tone.DIM))
        values = scores[name].get("values")
        for key, value in values.items() if isinstance(values, Mapping) else ():
            yield from _value_lines(str(key), value)


def axis_label(result: Mapping[str, Any]) -> str:
    """`n/a`, `unknown` or the number with three digits."""
    values, value = result.get("values"), result.get("value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return display.score(float(value))
    return "n/a" if isinstance(values, Mapping) and values.get("not_applicable") else display.UNKNOWN


def _tone(result: Mapping[str, Any]) -> Tone:
    return Tone.TEXT if isinstance(result.get("value"), int | float) else Tone.DIM


def _value_lines(key: str, value: Any) -> Iterator[Line]:
    text = display.UNKNOWN if value is None else display.value_text(value)
    first, *rest = list(paragraphs(text.rstrip("\n"), max_chars=_VALUE_CHARS))
    yield Line((words("  "), words(pad(key, 24), Tone.KEY), *first.pieces), 26)
    for more in rest:
        yield Line((words(" " * 26), *more.pieces), 26)
