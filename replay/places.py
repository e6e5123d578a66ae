"""Where in a run to go: the words of `--at`, `--span`, `--error`, `--call` and of the `g` key, and what that is in a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cabtrace.errors import UsageError
from replay import display
from replay.candidates import spans_with
from replay.timeline import Timeline

if TYPE_CHECKING:
    from cabtrace.model.span import SpanRecord
    from replay.call_list import CallList

FORMS = "12.3s, 1500ms, 2m05s, 01:02.5, 1:02:03, 50% or an ISO time such as 2026-11-22T15:36:31Z"
_ROUNDING_NS = 1_000_000  # links are printed to the millisecond
_LOOK_AT = 1_000  # spans that are read one by one, before those of a large run are told apart by their words
_MOST_NS = 10 * 365 * 24 * 3_600 * 10**9
_UNITS = {"h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "": 10**9}
_AMOUNTS = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ms|h|m|s)", re.ASCII)
_ALL_AMOUNTS = re.compile(rf"(?:{_AMOUNTS.pattern})+", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d+)?)", re.ASCII)
_SPAN_ID = re.compile(r"[0-9a-f]{1,16}")


@dataclass(frozen=True, slots=True)
class Offset:
    """So much after the start of the run."""

    offset_ns: int


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the run, 0 to 1."""

    share: float


@dataclass(frozen=True, slots=True)
class Instant:
    """A time of day, Unix nanoseconds."""

    time_ns: int


@dataclass(frozen=True, slots=True)
class Span:
    """The first span whose id begins so."""

    prefix: str


@dataclass(frozen=True, slots=True)
class FirstError:
    """Where the first thing went wrong."""


@dataclass(frozen=True, slots=True)
class Call:
    """A model call by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Named:
    """The first span whose id begins with these words, else whose name holds them, else whose row does, as the tree shows it."""

    text: str


Place = Offset | Share | Instant | Span | FirstError | Call | Named


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a timeline. `row` is None where the time alone was named."""

    offset_ns: int
    row: int | None = None


def parse_time(text: str) -> Offset | Share | Instant:
    """The words of `--at`. Raises UsageError."""
    words = text.strip()
    offset_ns = _amounts(words)
    if offset_ns is None:
        offset_ns = _clock(words)
    if offset_ns is not None:
        if offset_ns > _MOST_NS:
            raise UsageError(f"{text[:80]!r} is longer than any run.")
        return Offset(offset_ns)
    if words.endswith("%"):
        number = words[:-1]
        if re.fullmatch(r"\d+(\.\d+)?", number, re.ASCII) and float(number) <= 100:
            return Share(float(number) / 100)
    elif (time_ns := _iso(words)) is not None:
        return Instant(time_ns)
    raise UsageError(f"{text[:80]!r} is no time.", hint=f"Write {FORMS}.")


def parse_span(text: str) -> Span:
    """The words of `--span`. Raises UsageError."""
    prefix = text.strip().lower()
    if not _SPAN_ID.fullmatch(prefix):
        raise UsageError(f"{text[:80]!r} is no span id: up to 16 hexadecimal digits, or the first of them.")
    return Span(prefix)


def parse_anywhere(text: str) -> Place:
    """The words of the `g` key: a time, `#3` for a model call, `error`, a span's id or name. Raises UsageError."""
    words = text.strip()
    if words.lower() == "error":
        return FirstError()
    if (number := words.removeprefix("#")) != words and number.isascii() and number.isdigit() and len(number) < 10:
        return Call(int(number))
    try:
        return parse_time(words)
    except UsageError:
        if not words or (words[0].isdigit() and ":" in words):
            raise
        return Named(words)


def parse_link(*, at: str | None, span: str | None, error: bool, call: int | None) -> Place | None:
    """The options of `cabtrace replay`; None when none is given. Raises UsageError."""
    given = [
        name
        for name, value in (("--at", at), ("--span", span), ("--error", error or None), ("--call", call))
        if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} each name a place.", hint="Give one of them.")
    if at is not None:
        return parse_time(at)
    if span is not None:
        return parse_span(span)
    if call is not None:
        return Call(call)
    return FirstError() if error else None


def resolve(place: Place, timeline: Timeline, calls: CallList) -> Found:
    """Where that is. Raises UsageError where the run has no such place."""
    match place:
        case Offset(offset_ns):
            return Found(_within(offset_ns, timeline))
        case Share(share):
            return Found(round(timeline.duration_ns * share))
        case Instant(time_ns):
            return Found(_within(time_ns - timeline.start_ns, timeline))
        case Span(prefix):
            return _span(prefix, timeline)
        case Call(number):
            return _call(number, timeline, calls)
        case Named(text):
            return _named(text, timeline)
    if not timeline.errors:
        raise UsageError("No span of this run failed.")
    first = timeline.errors[0]
    return Found(first.offset_ns, first.row)


def _amounts(words: str) -> int | None:
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", words, re.ASCII):
        return round(float(words) * 1e9) if len(words) < 24 else _MOST_NS + 1
    if not _ALL_AMOUNTS.fullmatch(words) or len(words) > 80:
        return None
    total = 0.0
    for part in _AMOUNTS.findall(words):
        number = part.rstrip("hms")
        total += float(number) * _UNITS[part[len(number) :]]
    return round(min(total, _MOST_NS + 1))


def _clock(words: str) -> int | None:
    match = _CLOCK.fullmatch(words)
    if match is None or len(words) > 40:
        return None
    hours, minutes, seconds = match.groups()
    if float(seconds) >= 60 or (hours and int(minutes) >= 60):
        return None
    return (int(hours or 0) * 3_600 + int(minutes) * 60) * 10**9 + round(float(seconds) * 1e9)


def _iso(words: str) -> int | None:
    if "-" not in words:
        return None
    try:
        when = datetime.fromisoformat(words)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000


def _within(offset_ns: int, timeline: Timeline) -> int:
    whole = timeline.duration_ns
    if offset_ns < -_ROUNDING_NS:
        raise UsageError(f"That is {display.duration(-offset_ns)} before the run began.")
    if offset_ns > whole + _ROUNDING_NS:
        raise UsageError(f"The run is {display.clock(whole)} long; {display.clock(offset_ns)} lies after its end.")
    return min(max(offset_ns, 0), whole)


def _span(prefix: str, timeline: Timeline) -> Found:
    rows = [timeline.row(row) for row in timeline.with_id(prefix)]
    if not rows:
        raise UsageError(f"No span of this run has an id that begins with {prefix}.")
    first = min(rows, key=lambda row: (row.span.span_id != prefix, row.start_ns, row.index))
    return Found(first.start_ns, first.index)


def _named(text: str, timeline: Timeline) -> Found:
    if _SPAN_ID.fullmatch(text.lower()):
        try:
            return _span(text.lower(), timeline)
        except UsageError:
            pass
    wanted = text.casefold()

    def rank(span: SpanRecord) -> int | None:
        title = display.title(span)
        if wanted in span.name.casefold() or wanted in title.casefold():
            return 0
        return 1 if wanted in f"{title} {display.detail(span)}".casefold() else None

    spans = timeline.spans
    found = _best(((place, spans[place]) for place in range(min(len(spans), _LOOK_AT))), rank)
    if len(spans) > _LOOK_AT and (found is None or found[0]):
        found = _best(spans_with(spans, text), rank)
    if found is None:
        raise UsageError(f"No time, span id or span name is {text[:80]!r}, and no row of the tree shows it.")
    row = timeline.row(timeline.row_of(found[1]))
    return Found(row.start_ns, row.index)


def _best(spans: Iterable[tuple[int, SpanRecord]], rank: Callable[[SpanRecord], int | None]) -> tuple[int, int] | None:
    """Rank and place of the first of those with the least rank."""
    best: tuple[int, int] | None = None
    for place, span in spans:
        if (of := rank(span)) is not None and (best is None or (of, place) < best):
            best = of, place
    return best


def _call(number: int, timeline: Timeline, calls: CallList) -> Found:
    place = calls.numbered(number)
    if place is None:
        known = f"it has {calls[0].index} to {calls[-1].index}" if calls else "it has none"
        raise UsageError(f"This run has no model call {number}; {known}.")
    row = calls.row(place)
    return Found(timeline.row(row).start_ns, row)
