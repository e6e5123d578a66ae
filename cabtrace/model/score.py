"""The result of one scoring axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AxisResult:
    """`value` is the axis' headline number (None: unknown or not applicable); `values` has the seed page's keys."""

    axis: str
    version: str
    value: float | None
    values: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`unknown`, `n/a` or the number with three digits, as the seed page prints it."""
        if self.values.get("not_applicable"):
            return "n/a"
        return "unknown" if self.value is None else f"{self.value:.3f}"
