"""`--export` of commands that run cells: each cell's trace goes out when it is over. What becomes of that changes no result."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from exporters.otlp.export import Options, Report

Function = TypeVar("Function", bound=Callable[..., Any])
_PATIENCE_S = 15.0
_VARIABLE = "CABTRACE_EXPORT"
_CONTENT_VARIABLE = "CABTRACE_EXPORT_CONTENT"


def export_options(function: Function) -> Function:
    """`--export TARGET` and `--export-content`, as `export_to` and `export_content`."""
    options = (
        click.option(
            "--export",
            "export_to",
            envvar=_VARIABLE,
            default="",
            metavar="TARGET[=URL]",
            help=f"Then send the trace: otlp, jaeger, tempo, phoenix or collector [env: {_VARIABLE}]. The result stands, whatever"
            " becomes of it; what cannot be delivered waits for `cabtrace export --resume`.",
        ),
        click.option(
            "--export-content",
            envvar=_CONTENT_VARIABLE,
            is_flag=True,
            help="Send prompts, answers, tool arguments and results, too.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of one cell's trace. `problem`: it could not even be tried."""

    target: str
    report: Report | None = None
    link: str = ""
    problem: str = ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        if self.report is None:
            return f"export to {self.target}: {self.problem}"
        report = self.report
        counts = f"{report.delivered:,} delivered, {report.rejected:,} rejected, {report.waiting:,} waiting"
        words = next(iter(report.words), "") if report.rejected else ""
        held = report.outbox and not report.outbox_problem
        following = ("next: cabtrace export --resume" if held else "export it again") if report.waiting else ""
        parts = (f"export to {self.target}: {counts}", words, report.reason if report.waiting else "", following, self.link)
        return "; ".join(part for part in parts if part)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON."""
        told = asdict(self.report) if self.report is not None else {}
        return {"target": self.target, **told, "link": self.link, "problem": self.problem}


@dataclass(frozen=True, slots=True)
class AfterCell:
    """A target that was found good before the first cell began."""

    target: str
    options: Options
    local: bool = True  # whether the backend's pages are where its preset says

    def send(self, path: Path) -> Exported:
        """Sends a run's trace; never raises."""
        from cabtrace.store.reader import RunView
        from exporters.otlp.export import export_run
        from exporters.otlp.links import deep_link

        try:
            report = export_run(RunView(path), self.options)
        except Exception as error:  # noqa: BLE001 - the cell is over, and nothing that happens here may change its result
            return Exported(self.target, problem=str(error) or type(error).__name__)
        link = deep_link(self.options.preset, report.trace_id) if report.delivered and self.local else ""
        return Exported(self.target, report, link)


def after_cell(export_to: str, store: Path, *, content: bool) -> AfterCell | None:
    """What `--export` asks for; None where it is not given. Raises UsageError, before anything is run."""
    if not export_to:
        return None
    from cabtrace.errors import UsageError
    from exporters.otlp.export import Options
    from exporters.otlp.outgoing import Shape
    from exporters.otlp.retry import Patience
    from exporters.otlp.settings import PRESETS, is_loopback, resolve

    name, _, url = export_to.partition("=")
    if name != "otlp" and name not in PRESETS:
        known = ", ".join(("otlp", *PRESETS))
        raise UsageError(f"--export knows no target {name!r}.", hint=f"Known are: {known}; an address follows as {name}=URL.")
    preset = name if name in PRESETS else ""
    target = resolve(os.environ, endpoint=url or None, preset=preset or None)
    value_bytes = PRESETS[preset].value_bytes if preset else None
    # The recorder's own live exporter would send the same spans, uncounted, where the environment names an endpoint.
    os.environ["OTEL_TRACES_EXPORTER"] = "none"
    options = Options(target, Shape(content, value_bytes=value_bytes), Patience(total_s=_PATIENCE_S), store, preset)
    return AfterCell(name, options, local=not url or is_loopback(urlsplit(url if "://" in url else f"//{url}").hostname or ""))


def hand_down(export_to: str, *, content: bool) -> None:
    """For a child that runs the cell in this process' place: it reads the same from its environment."""
    if export_to:
        os.environ[_VARIABLE] = export_to
        os.environ[_CONTENT_VARIABLE] = "1" if content else "0"
