"""What an axis may look at, and small helpers to read it: artifacts are files, so their types are checked here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from cabtrace.model import semconv as sc
from cabtrace.model.model_call import ModelCall
from cabtrace.model.run import RunHeader
from cabtrace.model.score import AxisResult
from cabtrace.model.span import SpanRecord


class ScoredRun(Protocol):
    """The part of a RunView that axes read. Empty mappings mean that the record holds nothing of it."""

    @property
    def header(self) -> RunHeader:
        """run.json."""

    def spans(self) -> Sequence[SpanRecord]:
        """All spans."""

    def calls(self) -> Sequence[ModelCall]:
        """All model calls."""

    def verification(self) -> Mapping[str, Any]:
        """verifier.json."""

    def changes(self) -> Mapping[str, Any]:
        """changes.json."""

    def patch(self) -> str:
        """The patch of the workspace."""

    def terminal_text(self, max_chars: int) -> str:
        """The terminal's last characters, without escapes."""

    def assistant_texts(self) -> Sequence[str]:
        """What the model said, call by call."""


class ScoringAxis(Protocol):
    """An axis; the same as `cabtrace.protocols.Axis`, over the part of the run that it may see."""

    @property
    def name(self) -> str:
        """Its key in run.json."""

    @property
    def version(self) -> str:
        """Changes whenever the same run would give another result."""

    def score(self, run: ScoredRun) -> AxisResult:
        """The result; what the run does not know stays None."""


def integer(record: Mapping[str, Any], key: str) -> int | None:
    """An integer of an artifact; None where it is missing or of another type."""
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(record: Mapping[str, Any], key: str) -> float | None:
    """A number of an artifact; None where it is missing or of another type."""
    value = record.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def flag(record: Mapping[str, Any], key: str) -> bool | None:
    """A truth value of an artifact; None where it is missing or of another type."""
    value = record.get(key)
    return value if isinstance(value, bool) else None


def text(record: Mapping[str, Any], key: str) -> str | None:
    """A string of an artifact; None where it is missing or of another type."""
    value = record.get(key)
    return value if isinstance(value, str) else None


def paths(record: Mapping[str, Any], key: str) -> list[str] | None:
    """A list of paths of an artifact; None where it is missing or of another type."""
    value = record.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else None


def changed_paths(changes: Mapping[str, Any]) -> list[str] | None:
    """All paths that changed, sorted; None while any kind of change is unknown."""
    kinds = [paths(changes, kind) for kind in ("added", "removed", "modified")]
    known = [kind for kind in kinds if kind is not None]
    return sorted({path for kind in known for path in kind}) if len(known) == len(kinds) else None


def spans_of_kind(run: ScoredRun, kind: str) -> Iterator[SpanRecord]:
    """The harness' spans of a kind."""
    return (span for span in run.spans() if span.attributes.get(sc.SPAN_KIND) == kind)
