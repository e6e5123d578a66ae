"""One table of demands: ours, each peer's, and the ratio, printed as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field

OURS = "cabtrace"
_HEAD = ("demand", "cabtrace", "goal", "peer", "the peer's", "ours / theirs")


@dataclass(slots=True)
class _Demand:
    unit: str
    goal: str
    values: dict[str, float | str] = field(default_factory=dict)


class Table:
    """Values by demand and by whose they are; a value that is a text says why there is none."""

    def __init__(self) -> None:
        self._demands: dict[str, _Demand] = {}

    def add(self, demand: str, whose: str, value: float | str, unit: str, goal: str = "") -> None:
        """A second value of the same demand is another peer's; its goal is that of the first."""
        self._demands.setdefault(demand, _Demand(unit, goal)).values[whose] = value

    def lines(self) -> list[str]:
        """The table; a demand has a line for each peer that stands beside ours."""
        rows: list[tuple[str, ...]] = [_HEAD]
        for name, demand in self._demands.items():
            ours = demand.values.get(OURS)
            shown = "-" if ours is None else _shown(ours, demand.unit)
            peers = [(peer, value) for peer, value in demand.values.items() if peer != OURS]
            for number, (peer, value) in enumerate(peers or [("-", "-")]):
                left = (name, shown, demand.goal) if not number else ("", "", "")
                rows.append((*left, peer, _shown(value, demand.unit), _ratio(ours, value)))
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        rows.insert(1, tuple("-" * width for width in widths))
        return ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]


def _shown(value: float | str, unit: str) -> str:
    if isinstance(value, str):
        return value
    digits = 0 if unit in ("MB", "spans") else 1 if unit == "ms" else 2
    return f"{value:,.{digits}f} {unit}"


def _ratio(ours: float | str | None, theirs: float | str) -> str:
    if isinstance(ours, int | float) and isinstance(theirs, int | float) and theirs:
        return f"{ours / theirs:.2g}"
    return "-"
