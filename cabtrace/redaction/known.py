"""Values that are known to be secret, in every form in which they are likely to turn up."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, quote_plus

from cabtrace.redaction.spans import KNOWN, Found, Span, earlier
from cabtrace.redaction.views import squeezed, unpadded, unwrapped

MIN_CHARS = 6
_COMMON = frozenset({"default", "enabled", "disabled", "localhost", "development", "production", "redacted", "unknown"})
_WINDOW_CHARS = 8_192  # how far back a wrapped secret that is still arriving is looked for, beside its own length
_PROBE_CHARS = 4
_RUN = r"[A-Za-z0-9_-]{16,}"


@dataclass(frozen=True, slots=True)
class KnownValues:
    """Immutable; made by `known_values`. Pairs are (form, rule), the longest form first."""

    plain: tuple[tuple[str, str], ...] = ()
    encoded: tuple[tuple[str, str], ...] = ()  # only in texts that hold a long unbroken run
    short_forms: tuple[str, ...] = ()  # those without a long unbroken run
    runs: tuple[str, ...] = ()  # the run of each that has one
    unwrapped: tuple[tuple[str, str], ...] = ()
    squeezed: tuple[str, ...] = ()
    shortest_squeezed: tuple[str, ...] = ()  # of which at least one is in each of them
    beginnings: tuple[str, ...] = ()
    squeezed_beginnings: tuple[str, ...] = ()
    longest: int = 0
    spaced: bool = False  # a value holds blanks, at which a program may wrap it

    def maybe(self, text: str, runs: str) -> bool:
        """Whether `text`, whose long runs are `runs`, holds a value as it stands; never wrongly False."""
        return any(map(text.__contains__, self.short_forms)) or (bool(runs) and any(map(runs.__contains__, self.runs)))

    def maybe_wrapped(self, text: str) -> bool:
        """The same for values that a line wrap may cut; `text` holds no escape sequences."""
        return bool(self.squeezed) and any(map(squeezed(text).__contains__, self.shortest_squeezed))

    def spans(self, text: str) -> Iterator[Span]:
        """Every occurrence as it stands."""
        yield from _occurrences(text, self.plain)
        yield from _occurrences(text, self.encoded)

    def find_wrapped(self, text: str, plain: str, *, final: bool) -> Found:
        """Every occurrence, whatever escape sequences and line wraps are inside it; and where one may be arriving.

        `plain` is `text` without its escape sequences.
        """
        if not self.longest:
            return Found()
        tight = squeezed(plain)
        spans: list[Span] = []
        if any(map(tight.__contains__, self.shortest_squeezed)):
            view = unwrapped(text, tight=self.spaced)
            spans = [view.span(span) for span in _occurrences(view.text, self.unwrapped)]
        arriving = not final and _beginning(tight, self.squeezed, self.squeezed_beginnings) is not None
        return Found(tuple(spans), self._hold(text) if arriving else None)

    def _hold(self, text: str) -> int | None:
        """Where the longest end of `text` starts that is the beginning of a value."""
        window = max(0, len(text) - _WINDOW_CHARS - 8 * self.longest)
        view = unwrapped(text[window:], tight=self.spaced)
        forms = [form for form, _ in self.unwrapped]
        unended = unpadded(view.text)
        at = earlier(_beginning(view.text, forms, self.beginnings), _beginning(unended, forms, self.beginnings))
        return None if at is None else window + view.origin(at)


def _beginning(text: str, forms: Sequence[str], beginnings: tuple[str, ...]) -> int | None:
    """Where the longest end of `text` starts that one of `forms` begins with; `beginnings` are their first few characters."""
    best: int | None = None
    if text.endswith(beginnings):
        best = next(len(text) - n for n in range(_PROBE_CHARS - 1, 0, -1) if text[-n:] in beginnings)
    for form in forms:
        at = text.find(form[:_PROBE_CHARS], max(0, len(text) - len(form) + 1))
        while at >= 0:
            if form.startswith(text[at:]):
                best = earlier(best, at)
                break
            at = text.find(form[:_PROBE_CHARS], at + 1)
    return best


def known_values(values: Mapping[str, str]) -> KnownValues:
    """Prepares `values` (value -> rule). Values too short or too common to be a secret are left out."""
    forms: dict[str, str] = {}
    for value, rule in values.items():
        if worth_hiding(value):
            for form in _forms(value):
                forms.setdefault(form, rule)
    ordered = sorted(forms.items(), key=lambda item: (-len(item[0]), item[0]))
    spaced = any(unpadded(part) != part or squeezed(part) != part for form in forms for part in form.splitlines())
    tight = {unwrapped(form, tight=spaced).text: rule for form, rule in ordered}
    tight = {form: rule for form, rule in tight.items() if len(form) >= MIN_CHARS}
    runs = {form: found[0] for form in forms if (found := re.search(_RUN, form))}
    encoded = {form for form in runs if form not in values}
    squeezed_forms = tuple(dict.fromkeys(squeezed(form) for form in tight))
    return KnownValues(
        plain=tuple(pair for pair in ordered if pair[0] not in encoded),
        encoded=tuple(pair for pair in ordered if pair[0] in encoded),
        short_forms=tuple(form for form, _ in ordered if form not in runs),
        runs=tuple(dict.fromkeys(runs.values())),
        unwrapped=tuple(tight.items()),
        squeezed=squeezed_forms,
        shortest_squeezed=_shortest(squeezed_forms),
        beginnings=_beginnings(tight),
        squeezed_beginnings=_beginnings(squeezed_forms),
        longest=max(map(len, forms), default=0),
        spaced=spaced,
    )


def _beginnings(forms: Iterable[str]) -> tuple[str, ...]:
    return tuple({form[:n] for form in forms for n in range(1, _PROBE_CHARS)})


def _shortest(forms: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for form in sorted(forms, key=len):
        if not any(map(form.__contains__, kept)):
            kept.append(form)
    return tuple(kept)


def worth_hiding(value: str) -> bool:
    """Whether a value is long and rare enough that replacing it everywhere does no harm."""
    return len(value.strip()) >= MIN_CHARS and value.strip().lower() not in _COMMON and len(set(value)) > 1


def _forms(value: str) -> Iterator[str]:
    yield value
    data = value.encode("utf-8", "replace")
    percent = quote(value.encode("utf-8", "replace"), safe="")
    yield from (percent, re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), percent), quote_plus(data))
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (once, once.replace("/", "\\/"), json.dumps(once)[1:-1])
    yield escape(value)
    yield data.hex()
    yield from _base64_forms(data)


def _base64_forms(data: bytes) -> Iterator[str]:
    """Base64 of the value alone, and what it looks like inside the base64 of something longer, at each alignment."""
    yield base64.b64encode(data).decode()
    for shift in range(3):
        padded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        # A character that also encodes a neighbour's bits is unknown.
        inner = padded[(0, 2, 3)[shift] : len(padded) - (1 if (shift + len(data)) % 3 else 0)]
        if len(inner) >= MIN_CHARS:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")


def _occurrences(text: str, forms: tuple[tuple[str, str], ...]) -> Iterator[Span]:
    for form, rule in forms:
        at = text.find(form)
        while at >= 0:
            yield Span(at, at + len(form), rule, KNOWN)
            at = text.find(form, at + len(form))
