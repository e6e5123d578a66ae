"""Redaction of a text that arrives in pieces: what was split anywhere is found, and what is clean keeps its time."""

from __future__ import annotations

import re
from typing import Protocol

from cabtrace.redaction.context import CONTEXT_CHARS
from cabtrace.redaction.known import KnownValues
from cabtrace.redaction.pem import end_of_open_block
from cabtrace.redaction.spans import PEM, Found, Span

_FOOTER_CHARS = 96
_EDGE_CHARS = 8  # a find that begins this near to where the kept text was cut may begin in the middle of a word
_TOKEN_RUN = re.compile(r"[A-Za-z0-9_.+/=~%-]*")


class Finder(Protocol):
    """What is needed of a redactor here."""

    @property
    def known(self) -> KnownValues:
        """The known values as they are now."""

    def find(self, text: str, *, final: bool) -> Found:
        """Where the secrets are."""

    def replacement(self, span: Span) -> str:
        """What to write for a find, which is counted."""


class StreamRedactor:
    """Takes pieces of text with their times; gives back pieces to be written, in order, each with its time of arrival.

    Only an end that may be the beginning of a secret is held back, without any timeout, up to a bound. What was given
    back stays in memory for a while, because what stands before a value may make it a secret.
    """

    def __init__(self, redactor: Finder) -> None:
        """Made by `Redactor.stream`."""
        self._redactor = redactor
        self._text = ""
        self._done = 0  # up to here everything was given back
        self._cut = False  # whether text before `_text` was let go
        self._hidden = False  # whether what is right before `_done` was replaced
        self._open = ""  # a secret longer than the bound is going on
        self._arrivals: list[tuple[int, int]] = []  # (end in `_text`, time) of each piece not wholly given back

    @property
    def held_since(self) -> int | None:
        """The time of the first piece that was not wholly given back; None where nothing is held."""
        return self._arrivals[0][1] if self._arrivals else None

    def feed(self, time_ns: int, text: str) -> list[tuple[int, str]]:
        """Takes a piece that arrived at `time_ns`; returns what can be written now."""
        if not text:
            return []
        self._text += text
        self._arrivals.append((len(self._text), time_ns))
        return self._drain(final=False)

    def close(self) -> list[tuple[int, str]]:
        """Returns what was held back. The stream is empty afterwards."""
        pieces = self._drain(final=True)
        self._text, self._done, self._cut, self._hidden, self._open = "", 0, False, False, ""
        return pieces

    def _drain(self, *, final: bool) -> list[tuple[int, str]]:
        out: list[tuple[int, str]] = []
        if self._open:
            self._pass_over()
        if self._done < len(self._text):
            found = self._redactor.find(self._text, final=final)
            spans = [span for span in found.spans if self._counts(span)]
            limit = self._limit(spans, found)
            self._give(out, spans, limit)
            if found.open_ended and limit == len(self._text) and spans and spans[-1].end == limit:
                self._open = found.open_ended
        self._forget()
        return out

    def _pass_over(self) -> None:
        """Drops what belongs to a secret of which the marker was already written."""
        if self._open == PEM:
            end = end_of_open_block(self._text, self._done, max(0, self._done - _FOOTER_CHARS))
        else:
            match = _TOKEN_RUN.match(self._text, self._done)
            end = match.end() if match else self._done
        self._done = max(self._done, end)
        if self._done < len(self._text):
            self._open = ""

    def _counts(self, span: Span) -> bool:
        return span.end > self._done and not (self._cut and span.start < _EDGE_CHARS)

    def _limit(self, spans: list[Span], found: Found) -> int:
        """Up to where everything is decided."""
        limit = len(self._text) if found.hold is None else found.hold
        for span in spans:
            if span.start < limit < span.end:
                open_to_end = found.open_ended and span.end == len(self._text)
                limit = span.end if open_to_end else span.start
        return max(limit, self._done)

    def _give(self, out: list[tuple[int, str]], spans: list[Span], limit: int) -> None:
        for span in spans:
            if span.start >= limit:
                break
            if span.start > self._done:
                self._copy(out, span.start)
            if span.end > self._done:
                if not (self._hidden and span.start < self._done):
                    self._put(out, self._time(), self._redactor.replacement(span))
                self._skip_to(span.end)
                self._hidden = True
        if limit > self._done:
            self._copy(out, limit)

    def _copy(self, out: list[tuple[int, str]], end: int) -> None:
        while self._done < end:
            stop = min(end, self._arrivals[0][0])
            if stop > self._done:
                self._put(out, self._arrivals[0][1], self._text[self._done : stop])
            self._skip_to(stop)
        self._hidden = False

    def _put(self, out: list[tuple[int, str]], time_ns: int, text: str) -> None:
        if out and out[-1][0] == time_ns:
            out[-1] = (time_ns, out[-1][1] + text)
        else:
            out.append((time_ns, text))

    def _time(self) -> int:
        return next(time_ns for end, time_ns in self._arrivals if end > self._done)

    def _skip_to(self, position: int) -> None:
        self._done = position
        passed = 0
        while passed < len(self._arrivals) and self._arrivals[passed][0] <= position:
            passed += 1
        del self._arrivals[:passed]

    def _forget(self) -> None:
        self._skip_to(self._done)
        # A known value may begin inside a longer secret of which the marker is already written.
        keep = max(CONTEXT_CHARS, self._redactor.known.longest + _FOOTER_CHARS) if self._hidden else CONTEXT_CHARS
        cut = self._done - keep
        if cut > 0:
            self._text = self._text[cut:]
            self._done -= cut
            self._cut = True
            self._arrivals = [(end - cut, time_ns) for end, time_ns in self._arrivals]
