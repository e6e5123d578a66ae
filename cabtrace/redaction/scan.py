"""One pass over a text with everything that is looked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from cabtrace.redaction import context, pem, vendors
from cabtrace.redaction.context import find_context
from cabtrace.redaction.known import KnownValues
from cabtrace.redaction.pem import find_pem
from cabtrace.redaction.spans import PATH, Found, Span, View, earlier, merge
from cabtrace.redaction.vendors import find_formats
from cabtrace.redaction.views import has_escapes, without_escapes

_MIN_RUN = b"a" * 16
_BEFORE_RUN = 8  # how much of a vendor's literal may stand before the run: that of `ya29.`


@dataclass(frozen=True, slots=True)
class Paths:
    """Prefixes of this machine that are written as something else. Not secrets: they are not counted."""

    placeholders: Mapping[str, str] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    beginnings: tuple[str, ...] = ()

    def maybe(self, text: str) -> bool:
        """Whether a prefix is in `text`."""
        return any(map(text.__contains__, self.placeholders))

    def find(self, text: str, *, final: bool) -> Found:
        """Every prefix; with more to come, one that the end of the text cuts or that a longer word may continue."""
        if self.pattern is None:
            return Found()
        spans = tuple(
            Span(m.start(), m.end(), "path", PATH, self.placeholders[m[0]])
            for m in self.pattern.finditer(text)
            if final or m.end() < len(text)
        )
        if final or not text.endswith(self.beginnings):
            return Found(spans)
        longest = max(len(beginning) for beginning in self.beginnings if text.endswith(beginning))
        return Found(spans, len(text) - longest)


def paths(placeholders: Mapping[str, str]) -> Paths:
    """Prepares prefixes (prefix -> placeholder), the longest first."""
    ordered = sorted(((p.rstrip("/"), to) for p, to in placeholders.items()), key=lambda item: -len(item[0]))
    kept = {prefix: to for prefix, to in ordered if len(prefix) > 1}
    if not kept:
        return Paths()
    # A longer name is another path: /home/ann must leave /home/anna alone.
    pattern = re.compile(f"(?:{'|'.join(map(re.escape, kept))})(?![A-Za-z0-9_-])")
    return Paths(kept, pattern, tuple({prefix[:n] for prefix in kept for n in range(1, len(prefix) + 1)}))


@cache
def _run_table() -> bytes:
    return bytes(0x61 if chr(c).isascii() and (chr(c).isalnum() or chr(c) in "_-") else 0x20 for c in range(256))


def long_runs(text: str) -> str:
    """Where `text` has 16 characters or more in a row that a key may consist of, with a few of what stands before them."""
    data = text.encode("utf-8", "replace")
    mask = data.translate(_run_table())
    at = mask.find(_MIN_RUN)
    if at < 0:
        return ""
    found: list[bytes] = []
    while at >= 0:
        end = mask.find(b" ", at + len(_MIN_RUN))
        end = len(data) if end < 0 else end
        found.append(data[max(at - _BEFORE_RUN, 0) : end])
        at = mask.find(_MIN_RUN, end)
    return b"\n".join(found).decode("latin-1")


def clean(text: str, known: KnownValues, prefixes: Paths) -> bool:
    """Whether there is certainly nothing to hide in `text`; cheap, as nearly every text is clean."""
    if has_escapes(text):
        return False
    runs = long_runs(text)
    if (runs and vendors.maybe(runs)) or known.maybe(text, runs) or context.maybe(text) or pem.maybe(text):
        return False
    return not (prefixes.maybe(text) or known.maybe_wrapped(text))


def scan(text: str, known: KnownValues, prefixes: Paths, *, final: bool) -> Found:
    """Everything to hide, in order and without overlap; with more to come (`final` False) also what to wait for."""
    spans: list[Span] = list(known.spans(text))
    hold: int | None = None
    open_ended = ""
    view = without_escapes(text) if has_escapes(text) else None
    plain = text if view is None else view.text
    for finder in (find_formats, find_context, find_pem):
        found = finder(text, final=final)
        spans += found.spans
        hold = earlier(hold, found.hold)
        open_ended = found.open_ended or open_ended
        if view is not None:
            found = finder(plain, final=final)
            spans += _originals(found, view, len(text))
            hold = earlier(hold, None if found.hold is None else view.origin(found.hold))
            open_ended = found.open_ended or open_ended
    for found in (known.find_wrapped(text, plain, final=final), prefixes.find(text, final=final)):
        spans += found.spans
        hold = earlier(hold, found.hold)
    return Found(merge(spans), hold, open_ended)


def _originals(found: Found, view: View, text_chars: int) -> list[Span]:
    spans = [view.span(span) for span in found.spans]
    if found.open_ended and spans:
        # The start of an escape sequence may be behind what goes on.
        last = spans.pop()
        spans.append(replace(last, end=text_chars))
    return spans
