"""What a rule finds: one sentence about one instant of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cabtrace.diagnose.evidence import Evidence


class Severity(StrEnum):
    """`error`: it explains a failure. `warning`: it is odd. `info`: it helps to understand the run."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """`sentence` and `detail` hold recorded text, hence hostile: `cabtrace.text.safe` them before they are shown.

    Attributes:
        rule: Name of what was found, such as `rate_limited`.
        time_ns: Unix nanoseconds; None where it belongs to no instant.
        span_id: The span that shows it, or "".
        detail: More lines, or "".
        explains: 0 to 1: how well this alone explains that the cell failed. The highest is named as the cause; 0 never is.
    """

    rule: str
    severity: Severity
    time_ns: int | None
    span_id: str
    sentence: str
    detail: str = ""
    explains: float = 0.0


Rule = Callable[["Evidence"], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The first-named cause, and all findings in order of time. `start_ns` is what offsets are counted from."""

    cause: Finding
    findings: tuple[Finding, ...]
    start_ns: int
    shares: dict[str, float] = field(default_factory=dict)  # model, tools, harness, idle: parts of the critical path

    def offset_s(self, finding: Finding) -> float | None:
        """Seconds from the start of the run; None where the finding belongs to no instant."""
        return None if finding.time_ns is None else max(0, finding.time_ns - self.start_ns) / 1e9
