"""The key formats of vendors: each begins with a literal that tells it apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from cabtrace.redaction.spans import HOLD_CHARS, TOKEN, VENDOR, Found, Span, earlier

# A format begins where no word goes on: at a non-alphanumeric, or after an escape of JSON, a URL or a terminal.
EDGE = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})"
    r"|(?<=[0-9;\[]m))"
)
_WORD = r"[A-Za-z0-9_-]"
_ALNUM = r"[A-Za-z0-9]"
_LONG_RUN_CHARS = 256
_MARKS = "-_."  # a literal is alphanumeric, or holds one of these

# rule, literals it begins with, what follows
_FORMATS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("anthropic", ("sk-ant-",), rf"{_WORD}{{16,}}"),
    ("openai", ("sk-proj-", "sk-svcacct-", "sk-admin-"), rf"{_WORD}{{20,}}"),
    ("openai", ("sk-",), rf"{_ALNUM}{{16,}}T3BlbkFJ{_ALNUM}{{16,}}"),
    ("openrouter", ("sk-or-",), rf"{_WORD}{{20,}}"),
    ("langfuse", ("sk-lf-",), rf"{_WORD}{{20,}}"),
    ("sk-key", ("sk-", "csk-"), rf"(?=[A-Za-z_-]{{0,80}}[0-9])(?={_WORD}{{20}}){_WORD}{{0,24}}{_ALNUM}{{16}}{_WORD}*"),
    ("google", ("AIza",), rf"{_WORD}{{30,}}"),
    ("google-oauth", ("ya29.",), rf"{_WORD}{{20,}}"),
    ("google-oauth", ("GOCSPX-",), rf"{_WORD}{{20,}}"),
    ("groq", ("gsk_",), rf"{_ALNUM}{{20,}}"),
    ("huggingface", ("hf_",), rf"{_ALNUM}{{20,}}"),
    ("perplexity", ("pplx-",), rf"{_ALNUM}{{20,}}"),
    ("xai", ("xai-",), rf"{_ALNUM}{{20,}}"),
    ("nvidia", ("nvapi-",), rf"{_WORD}{{20,}}"),
    ("replicate", ("r8_",), rf"{_ALNUM}{{20,}}"),
    ("tavily", ("tvly-",), rf"{_WORD}{{20,}}"),
    ("langsmith", ("lsv2_",), rf"(?:pt|sk)_{_ALNUM}{{20,}}\w*"),
    ("github", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), rf"{_ALNUM}{{20,}}"),
    ("github", ("github_pat_",), r"[A-Za-z0-9_]{22,}"),
    ("gitlab", ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-"), rf"{_WORD}{{16,}}"),
    ("slack", ("xoxb-", "xoxp-", "xoxa-", "xoxe-", "xoxo-", "xoxr-", "xoxs-", "xapp-"), r"[A-Za-z0-9-]{16,}"),
    ("aws", ("AKIA", "ASIA"), r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("stripe", ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"), rf"{_ALNUM}{{16,}}"),
    ("npm", ("npm_",), rf"{_ALNUM}{{30,}}"),
    ("pypi", ("pypi-",), rf"{_WORD}{{40,}}"),
    ("sendgrid", ("SG.",), rf"{_WORD}{{16,64}}\.{_WORD}{{16,}}"),
    ("digitalocean", ("dop_v1_", "doo_v1_"), rf"{_ALNUM}{{32,}}"),
    ("databricks", ("dapi",), r"[0-9a-f]{32}(?:-\d)?(?![A-Za-z0-9])"),
    ("vault", ("hvs.",), rf"{_WORD}{{20,}}"),
    ("age", ("AGE-SECRET-KEY-1",), r"[A-Z0-9]{40,}"),
    ("jwt", ("eyJ",), rf"{_WORD}{{13,}}\.{_WORD}{{8,}}\.{_WORD}*(?:\.{_WORD}+)*"),
    ("cabtrace-token", ("cbt-",), rf"{_WORD}{{16,}}"),
)


@dataclass(frozen=True, slots=True)
class Formats:
    """All formats, by the literal that they begin with."""

    literals: tuple[str, ...]
    shortest: tuple[str, ...]  # of which one is in each literal that has no mark in it
    shortest_marked: tuple[str, ...]
    rules: dict[str, tuple[tuple[str, re.Pattern[str]], ...]]
    beginnings: frozenset[str]
    longest: int
    edge: re.Pattern[str]
    word: re.Pattern[str]
    arriving: re.Pattern[str]


@cache
def formats() -> Formats:
    """The table, compiled when first wanted."""
    rules: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for rule, literals, rest in _FORMATS:
        for literal in literals:
            key = "sk-" if literal.startswith("sk-") else literal  # one search for all of them
            rules.setdefault(key, []).append((rule, re.compile(EDGE + re.escape(literal) + rest)))
    shortest = [literal for literal in rules if not any(other in literal for other in rules if other != literal)]
    return Formats(
        literals=tuple(rules),
        shortest=tuple(literal for literal in shortest if literal.isalnum()),
        shortest_marked=tuple(literal for literal in shortest if not literal.isalnum()),
        rules={literal: tuple(found) for literal, found in rules.items()},
        beginnings=frozenset(literal[:n] for literal in rules for n in range(1, len(literal))),
        longest=max(map(len, rules)),
        edge=re.compile(EDGE),
        word=re.compile(r"[A-Za-z0-9_-]*"),
        arriving=re.compile(r"[A-Za-z0-9_.-]*"),
    )


def maybe(runs: str) -> bool:
    """Whether a key may be in a text of which `runs` are the long unbroken runs (`scan.long_runs`); never wrongly False."""
    table, inside = formats(), runs.__contains__
    return any(map(inside, table.shortest)) or (any(map(inside, _MARKS)) and any(map(inside, table.shortest_marked)))


def find_formats(text: str, *, final: bool) -> Found:
    """Every key in `text`; with more to come (`final` False) also where one may be arriving."""
    table = formats()
    spans: list[Span] = []
    hold: int | None = None
    open_ended = ""
    for literal in table.literals:
        if literal not in text:
            continue
        for at, span in _candidates(text, literal, table):
            if span is not None:
                spans.append(span)
            if final:
                continue
            if len(text) - at <= HOLD_CHARS:
                if (hold is None or at < hold) and table.arriving.fullmatch(text, at):
                    hold = at
            elif span is not None and span.end == len(text):
                open_ended = TOKEN
    if not final:
        hold = earlier(hold, _beginning(text, table))
    return Found(tuple(spans), hold, open_ended)


def _candidates(text: str, literal: str, table: Formats) -> Iterator[tuple[int, Span | None]]:
    at = text.find(literal)
    while at >= 0:
        after = at + 1
        if table.edge.match(text, at):
            span = None
            for rule, pattern in table.rules[literal]:
                if match := pattern.match(text, at):
                    span = Span(at, match.end(), rule, VENDOR)
                    after = match.end()
                    break
            yield at, span
            if span is None:
                # What failed here fails for each later beginning in the same long run; trying them all is quadratic.
                word = table.word.match(text, at)
                if word is not None and word.end() - at > _LONG_RUN_CHARS:
                    after = word.end()
        at = text.find(literal, after)


def _beginning(text: str, table: Formats) -> int | None:
    for n in range(min(table.longest - 1, len(text)), 0, -1):
        if text[-n:] in table.beginnings and table.edge.match(text, len(text) - n):
            return len(text) - n
    return None
