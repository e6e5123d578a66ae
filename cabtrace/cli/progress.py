"""Live progress of a running cell on stderr; a line a phase where stderr is no terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from cabtrace.cli import out
from cabtrace.runner.spec import RECORDING, Progress, Quiet, Stats

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_STATS_S = 0.25


class ReportedProgress:
    """For a program that runs this command: a JSON object a line, appended to a file. Never stops a cell."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since = time.monotonic()
        self._said_at = 0.0

    def __enter__(self) -> ReportedProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def phase(self, name: str, detail: str = "") -> None:
        """A phase begins."""
        where = {"run": detail} if name == RECORDING else {}
        self._append({"at_s": round(time.monotonic() - self._since, 3), "phase": name, "detail": detail, **where})

    def stats(self, stats: Stats) -> None:
        """Numbers, a few times a second."""
        now = time.monotonic()
        if now - self._said_at >= _STATS_S:
            self._said_at = now
            self._append({"stats": dataclasses.asdict(stats)})

    def _append(self, record: dict[str, object]) -> None:
        with contextlib.suppress(OSError), self._path.open("ab") as file:
            file.write(json.dumps(record).encode() + b"\n")


def progress_for(limit_s: float, report: Path | None, *, as_json: bool) -> AbstractContextManager[Progress]:
    """Told to a file where one is named, to nobody where JSON is printed, else to the user."""
    if report is not None:
        return ReportedProgress(report)
    return contextlib.nullcontext(Quiet()) if as_json else LiveProgress(limit_s)


class LiveProgress:
    """A spinner with phase, time, model calls and tokens. Its methods may be called from any thread."""

    def __init__(self, limit_s: float) -> None:
        self._console = out.console(stderr=True)
        self._limit_s = limit_s
        self._phase, self._detail, self._stats = "starting", "", Stats()
        self._since = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> LiveProgress:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(get_renderable=self._render, console=self._console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def phase(self, name: str, detail: str = "") -> None:
        """A phase begins."""
        self._phase, self._detail = name, detail
        if self._live is None:
            self._console.print(out.cell(f"[{time.monotonic() - self._since:7.2f} s] {name} {detail}"))

    def stats(self, stats: Stats) -> None:
        """Numbers for the next frame."""
        self._stats = stats

    def _render(self) -> RenderableType:
        from rich.spinner import Spinner

        elapsed = time.monotonic() - self._since
        stats = self._stats
        parts = [self._phase, self._detail, f"{elapsed:.0f} s of at most {self._limit_s:.0f} s"]
        if stats.calls:
            parts.append(f"{stats.calls} model calls, {stats.input_tokens + stats.output_tokens:,} tokens")
        parts.append(f"{stats.terminal_bytes:,} bytes of terminal")
        return Spinner("dots", out.cell("  ".join(p for p in parts if p)))
