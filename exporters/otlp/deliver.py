"""Batches to a receiver until each span is delivered or rejected; what is neither waits, and is counted too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from exporters.otlp.answer import Answer, Outcome, Transport
from exporters.otlp.batches import Batch, Encoded, Encoder
from exporters.otlp.retry import Patience, Waiting

_MOST_REQUESTS: Final = 96  # spent on finding the spans of one batch that a receiver refuses
_SMALLEST_BYTES: Final = 1_024
_MOST_WORDS: Final = 20


class Ledger(Protocol):
    """Notes what is settled, so that it is not sent again."""

    def settle(self, ordinals: Sequence[int], rejected: int) -> None:
        """These spans need no more sending; so many of them were rejected."""


@dataclass(slots=True)
class Tally:
    """Counts of spans, and what the receiver said, by how many spans it said it of."""

    delivered: int = 0
    rejected: int = 0
    requests: int = 0
    retries: int = 0
    accepted_bytes: int = 0  # as encoded, uncompressed
    words: Counter[str] = field(default_factory=Counter)


class Stopped(Exception):
    """Delivery ends here; everything not settled waits. Its text says why."""


class Delivery:
    """Sends batches one after another. Raises Stopped where going on makes no sense now."""

    def __init__(
        self,
        transport: Transport,
        encoder: Encoder,
        ledger: Ledger,
        patience: Patience,
        waiting: Callable[[Patience], Waiting] = Waiting,
    ) -> None:
        self.tally = Tally()
        self._transport = transport
        self._encoder = encoder
        self._ledger = ledger
        self._patience = patience
        self._new_waiting = waiting
        self._most_bytes: int | None = None  # learnt from the receiver
        self._budget = _MOST_REQUESTS
        self._suspects: list[tuple[Encoded, Answer]] = []

    def send(self, batch: Batch) -> None:
        """Settles every span of a batch, or raises Stopped."""
        self._budget = _MOST_REQUESTS
        self._suspects.clear()
        before = self.tally.delivered
        self._settle(batch)
        if self._suspects and self.tally.delivered == before:  # it breaks on everything: nothing is wrong with these spans
            raise Stopped(self._suspects[0][1].message)
        for span, answer in self._suspects:
            self._reject([span], answer)

    def _settle(self, batch: Batch) -> None:
        body = batch.body(self._encoder.codec)
        if self._most_bytes is not None and len(body) > self._most_bytes and len(batch.spans) > 1:
            self._both(batch)
            return
        answer = self._answer(body)
        match answer.outcome:
            case Outcome.ACCEPTED:
                self.tally.accepted_bytes += len(body)
                self._accept(batch, answer)
            case Outcome.TOO_LARGE:
                self._too_large(batch, len(body), answer)
            case Outcome.REFUSED | Outcome.FAILED:
                self._refused(batch, answer)
            case _:
                raise Stopped(answer.message)

    def _answer(self, body: bytes) -> Answer:
        """The receiver's answer once it has one: while it is unavailable, the request is sent again."""
        waiting = self._new_waiting(self._patience)
        while True:
            self.tally.requests += 1
            answer = self._transport.send(body)
            if answer.outcome is not Outcome.UNAVAILABLE:
                return answer
            if not waiting.wait(answer.retry_after_s):
                return answer
            self.tally.retries += 1

    def _accept(self, batch: Batch, answer: Answer) -> None:
        count = len(batch.spans)
        rejected = min(answer.rejected, count)
        self.tally.delivered += count - rejected
        self.tally.rejected += rejected
        if answer.message:
            self._note(answer.message, rejected)
        self._ledger.settle([s.ordinal for s in batch.spans], rejected)

    def _too_large(self, batch: Batch, size_bytes: int, answer: Answer) -> None:
        if len(batch.spans) > 1:
            self._most_bytes = min(self._most_bytes or size_bytes, max(size_bytes // 2, _SMALLEST_BYTES))
            self._both(batch)
            return
        span = batch.spans[0]
        smaller = self._encoder.shrunk(span, max(len(span.data) // 2, _SMALLEST_BYTES))
        if len(smaller.data) < len(span.data):
            self._settle(Batch([smaller]))
        else:
            self._reject(batch.spans, answer)

    def _refused(self, batch: Batch, answer: Answer) -> None:
        if len(batch.spans) == 1 and answer.outcome is Outcome.FAILED:
            self._suspects.append((batch.spans[0], answer))
        elif len(batch.spans) == 1 or self._budget <= 0:
            if answer.outcome is Outcome.FAILED:
                raise Stopped(answer.message)
            self._reject(batch.spans, answer)
        else:
            self._both(batch)

    def _both(self, batch: Batch) -> None:
        for half in batch.halves():
            self._budget -= 1
            self._settle(half)

    def _reject(self, spans: Sequence[Encoded], answer: Answer) -> None:
        self.tally.rejected += len(spans)
        self._note(answer.message, len(spans))
        self._ledger.settle([s.ordinal for s in spans], len(spans))

    def _note(self, message: str, count: int) -> None:
        if message in self.tally.words or len(self.tally.words) < _MOST_WORDS:
            self.tally.words[message] += count
