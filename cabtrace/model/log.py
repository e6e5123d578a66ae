"""Log records as OpenTelemetry has them."""

from __future__ import annotations

from dataclasses import dataclass, field

from cabtrace.model.span import Attributes, AttributeValue


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record. Times are Unix nanoseconds, 0 is unknown; ids are lower-case hex or "". Strings are hostile."""

    time_ns: int = 0
    observed_ns: int = 0
    severity_number: int = 0
    severity_text: str = ""
    body: AttributeValue = None
    event_name: str = ""
    attributes: Attributes = field(default_factory=dict)
    trace_id: str = ""
    span_id: str = ""
    flags: int = 0
    dropped_attributes: int = 0
    scope: str = ""
    scope_version: str = ""
    resource: Attributes = field(default_factory=dict)
