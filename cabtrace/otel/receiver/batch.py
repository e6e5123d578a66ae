"""What one export brought, and the error for one that cannot be read."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from enum import StrEnum

from cabtrace.model.ids import is_hex_id
from cabtrace.model.log import LogRecord
from cabtrace.model.span import SpanRecord

UINT32_MAX = 2**32 - 1


class Signal(StrEnum):
    """The last part of an OTLP/HTTP path."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class MalformedError(ValueError):
    """A body that is no export at all; the sender is told with 400."""


@dataclass(slots=True)
class Batch:
    """`rejected` counts records that were no such thing, while the rest of the export is taken."""

    spans: list[SpanRecord] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    metrics: int = 0
    rejected: int = 0


def hex_id(value: object, digits: int) -> str:
    """An id that came as hex (OTLP's rule) or as base64 (what a plain protobuf-to-JSON converter makes); "" for anything else."""
    if not isinstance(value, str):
        return ""
    if len(value) != digits and len(value) in (-(-digits // 6) * 4, -(-digits * 2 // 3)):
        try:
            value = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).hex()
        except binascii.Error:
            return ""
    return value.lower() if is_hex_id(value, digits) else ""


def bounded(value: int, highest: int = UINT32_MAX) -> int:
    """A number within what its field holds; 0 for one beyond."""
    return value if 0 <= value <= highest else 0
