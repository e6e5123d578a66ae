"""The redactor: texts, JSON-like values and command lines with their secrets replaced by `[redacted:<rule>]`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import TypeVar

from cabtrace.redaction import structure
from cabtrace.redaction.harmless import Harmless
from cabtrace.redaction.known import KnownValues, known_values, worth_hiding
from cabtrace.redaction.scan import clean, paths, scan
from cabtrace.redaction.spans import PATH, Found, Span
from cabtrace.redaction.stream import StreamRedactor

T = TypeVar("T")
_MIN_CHARS = 6  # nothing shorter is a secret


class Redactor:
    """Removes secrets: known values in all their forms, the key formats of vendors, and what its name gives away.

    Args:
        known: Secret values; of a mapping the keys name the rule. Values shorter than 6 characters or trivially common
            are ignored.
        paths: Literal path prefixes and what to write instead of them, as `{"/home/x": "~"}`; not counted as secrets.
    """

    def __init__(self, known: Mapping[str, str] | Iterable[str] = (), *, paths: Mapping[str, str] | None = None) -> None:
        """Takes what is known; see the class."""
        items = known.items() if isinstance(known, Mapping) else (("known", value) for value in known)
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._values = {value: _rule_name(rule) for rule, value in items if worth_hiding(value)}
        self._known = known_values(self._values)
        self._paths = _paths(paths or {})
        self._harmless = self._new_harmless()

    def add(self, value: str, rule: str = "known") -> None:
        """Takes a secret that was learnt later. Streams that are open heed it from their next piece on."""
        with self._lock:
            if worth_hiding(value) and value not in self._values:
                self._values[value] = _rule_name(rule)
                self._known = known_values(self._values)
                self._harmless = self._new_harmless()

    def _new_harmless(self) -> Harmless:
        known, prefixes = self._known, self._paths
        return Harmless(lambda text: clean(text, known, prefixes))

    @property
    def known(self) -> KnownValues:
        """The known values as they are now."""
        return self._known

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each rule found something; no values."""
        with self._lock:
            return dict(self._counts)

    def count(self, rule: str) -> None:
        """Notes one find."""
        with self._lock:
            self._counts[rule] += 1

    def find(self, text: str, *, final: bool) -> Found:
        """Where the secrets of `text` are; see `scan`."""
        return scan(text, self._known, self._paths, final=final)

    def text(self, text: str) -> str:
        """`text` without its secrets; the same object where there are none."""
        if len(text) < _MIN_CHARS and self._paths.pattern is None:
            return text
        if clean(text, self._known, self._paths):
            return text
        spans = self.find(text, final=True).spans
        if not spans:
            return text
        pieces: list[str] = []
        last = 0
        for span in spans:
            pieces += (text[last : span.start], self.replacement(span))
            last = span.end
        pieces.append(text[last:])
        return "".join(pieces)

    def replacement(self, span: Span) -> str:
        """What to write for a find, which is counted."""
        if span.rank != PATH:
            self.count(span.rule)
        return span.marker

    def value(self, value: T) -> T:
        """A JSON-like value with every string and key in it redacted; parts without a secret are the same objects.

        A string under a key that names a secret (`authorization`, `api_key`, `password`, ...) is replaced whole.
        """
        return value if self._harmless.all(value) else structure.redact_value(self, value)

    def harmless(self, *values: object) -> bool:
        """Whether `text` and `value` certainly leave all of these as they are; sooner told of many at once than of each."""
        return self._harmless.all(*values)

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """A command line, also with `--api-key VALUE`, `--token=VALUE`, `KEY=VALUE` and `-u user:password`."""
        return structure.redact_argv(self, argv)

    def stream(self) -> StreamRedactor:
        """A redactor for a text that arrives in pieces."""
        return StreamRedactor(self)


_paths = paths


def _rule_name(rule: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", rule)[:64] or "known"
