"""Secrets told by what stands before them: assignments, headers, URLs with a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from cabtrace.redaction.names import MARKER, plausible
from cabtrace.redaction.spans import CONTEXT, HOLD_CHARS, TOKEN, Found, Span, earlier

CONTEXT_CHARS = 192  # what may stand between the name and the value, the name included, is shorter than this
_NAME = re.compile(r"[A-Za-z0-9_.-]{0,48}\Z")
_QUOTE = r"""\\{0,3}["'`]"""
_SEPARATOR = rf"(?:{_QUOTE})?[ \t]{{0,4}}(?::=|=>|[:=])[ \t]{{0,4}}"
_SUFFIX = r"(?:_?[0-9]{1,2}|_(?:PROD|DEV|STAGING|TEST|OLD|NEW|PRIMARY|SECONDARY|BASE64|B64))?"
_LONG_RUN_CHARS = 256


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    literal: str  # in lower case
    opening: re.Pattern[str]  # what stands before the value; its group `blank` counts only after a flag's dashes
    pattern: re.Pattern[str]  # from the literal on; its group `value` is the secret
    arriving: re.Pattern[str]  # the same up to a value that the end of the text cuts


def _assignment(literal: str) -> _Rule:
    before = rf"{literal}{_SUFFIX}(?:{_SEPARATOR}|(?P<blank>[ \t]{{1,2}}))"
    quoted, bare = r"""[^\s\x00-\x1f\x7f-\x9f"'`\\]""", r"""[^\s\x00-\x1f\x7f-\x9f"'`\\,;&|<>(){}\[\]=]"""
    return _Rule(
        "assignment",
        literal,
        re.compile(before, re.I),
        re.compile(rf"{before}(?:{_QUOTE}(?P<quoted>{quoted}{{6,}})|(?P<bare>{bare}{{6,}}={{0,2}}))(?P<after>[(\[]?)", re.I),
        re.compile(rf"{before}(?:{_QUOTE}(?P<quoted>{quoted}{{1,}})|(?P<bare>{bare}{{1,}}={{0,2}}))\Z", re.I),
    )


def _header(name: str, literal: str, opening: str, value: str, arriving: str, *, condition: str = "") -> _Rule:
    before = opening + condition
    return _Rule(
        name,
        literal,
        re.compile(opening, re.I),
        re.compile(rf"{before}(?P<value>{value})", re.I),
        re.compile(rf"{before}(?P<value>{arriving})\Z", re.I),
    )


@cache
def _rules() -> tuple[_Rule, ...]:
    auth, cookie = rf"authorization{_SEPARATOR}(?:{_QUOTE})?", rf"cookie{_SEPARATOR}(?:{_QUOTE})?"
    scheme = r"(?:bearer|basic|token|digest|negotiate|apikey|aws4-hmac-sha256)"
    # With a scheme anything is a credential; without one, prose ("authorization: required") must be told apart.
    credential = rf"(?:{scheme}[ \t]{{1,4}}|(?!{scheme}\b)(?=[^\s0-9]{{0,80}}[0-9]))"
    pair = r"""[\w.-]{1,64}=[^\s\x00-\x1f\x7f-\x9f;,"'\\]"""
    return (
        _header(
            "authorization",
            "authorization",
            auth,
            r"""[^\s\x00-\x1f\x7f-\x9f"'`\\,;<>\[{$][^\s\x00-\x1f\x7f-\x9f"'`\\,;)\]}>]{5,}""",
            r"""[^\s\x00-\x1f\x7f-\x9f"'`\\,;]+""",
            condition=credential,
        ),
        _header(
            "bearer",
            "bearer",
            r"bearer[ \t]{1,4}",
            r"(?=[A-Za-z._~+/=-]{0,80}[0-9])[\w.~+/=-]{16,}",
            r"[\w.~+/=-]+",
        ),
        _header(
            "cookie",
            "cookie",
            cookie,
            rf"{pair}{{4,}}(?:;[ ]?{pair}*)*",
            rf"{pair}*(?:;[ ]?(?:{pair}*)?)*|[\w.-]{{1,64}}",
        ),
        _header(
            "url-credentials",
            "://",
            r"""://[^\s\x00-\x1f\x7f-\x9f/?#"'`<>\\@:]{0,128}:""",
            r"""(?!\$[{A-Z(]|\{\{|\*)[^\s\x00-\x1f\x7f-\x9f/"'`<>\\]{1,256}(?=@)""",
            r"""[^\s\x00-\x1f\x7f-\x9f/"'`<>\\]{1,256}""",
        ),
        *map(_assignment, ("key", "token", "secret", "passw(?:or)?d", "pwd", "passphrase", "credentials?")),
    )


@cache
def _literals() -> tuple[tuple[str, _Rule], ...]:
    plain = {"passw(?:or)?d": "passw", "credentials?": "credential"}
    return tuple((plain.get(rule.literal, rule.literal), rule) for rule in _rules())


@cache
def _openings() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((literal, rule.opening) for literal, rule in _literals())


def maybe(text: str) -> bool:
    """Whether a name is in `text` with what must stand between it and a secret; never wrongly False."""
    if ":" not in text and "=" not in text and " " not in text and "\t" not in text:
        return False
    lower = _lower(text)
    for literal, opening in _openings():
        at = lower.find(literal)
        while at >= 0:
            found = opening.match(text, at)
            if found is not None and (found.lastgroup != "blank" or "--" in text) and (literal != "://" or "@" in text):
                return True
            at = lower.find(literal, at + len(literal))
    return False


def find_context(text: str, *, final: bool) -> Found:
    """Every value that its surroundings make a secret; with more to come also where one may be arriving."""
    lower = _lower(text)
    ended = text[-1:].isspace()  # then no value is cut, but one of a cookie may have another after it
    spans: list[Span] = []
    hold: int | None = None
    open_ended = ""
    for literal, rule in _literals():
        for at, span in _candidates(text, lower, literal, rule):
            if span is not None:
                spans.append(span)
            if final:
                continue
            if at >= len(text) - HOLD_CHARS - CONTEXT_CHARS:
                if not ended or rule.name == "cookie":
                    hold = earlier(hold, _arriving(text, at, rule))
            elif span is not None and span.end == len(text):
                open_ended = TOKEN
    return Found(tuple(spans), hold, open_ended)


def _arriving(text: str, at: int, rule: _Rule) -> int | None:
    match = rule.arriving.match(text, at)
    if match is None or len(text) - (start := match.start(match.lastgroup or 0)) > HOLD_CHARS:
        return None
    return start


def _candidates(text: str, lower: str, literal: str, rule: _Rule) -> Iterator[tuple[int, Span | None]]:
    at = lower.find(literal)
    while at >= 0:
        after = at + len(literal)
        match = rule.pattern.match(text, at)
        if match is None:
            yield at, None
        else:
            span = _judge(text, rule, match)
            # A long value that is no secret is passed over whole: looking into it again and again is quadratic.
            if span is not None or match.end() - at > _LONG_RUN_CHARS:
                after = match.end()
            yield at, span
        at = lower.find(literal, after)


def _judge(text: str, rule: _Rule, match: re.Match[str]) -> Span | None:
    if rule.name != "assignment":
        value = match["value"]
        return None if MARKER.match(value) else Span(match.start("value"), match.end("value"), rule.name, CONTEXT)
    group = "quoted" if match["quoted"] else "bare"
    name = _name_before(text, match)
    if (match["blank"] and not name.startswith("--")) or (group == "bare" and match["after"]):
        return None
    if not plausible(name, match[group], quoted=group == "quoted"):
        return None
    return Span(match.start(group), match.end(group), rule.name, CONTEXT)


def _name_before(text: str, match: re.Match[str]) -> str:
    at = match.start()
    before = _NAME.search(text, max(0, at - 48), at)
    word = re.match(r"[A-Za-z]+", text[at : at + 16])
    return (before[0] if before else "") + (word[0] if word else "")


def _lower(text: str) -> str:
    lower = text.lower()
    # One letter grows when it is lowered, and positions must agree.
    return lower if len(lower) == len(text) else text.replace("\u0130", "I").lower()
