"""Secrets are removed before a byte reaches the disk: known values, vendors' key formats, what a name gives away."""

from __future__ import annotations

from cabtrace.redaction.redactor import Redactor
from cabtrace.redaction.stream import StreamRedactor

__all__ = ["Redactor", "StreamRedactor"]
