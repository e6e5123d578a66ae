"""`cabtrace screenshot`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from cabtrace.cli.options import run_argument, store_option

_PANELS = ("span", "calls", "messages", "diff", "scores", "logs", "why")
_LEAST, _MOST = (60, 16), (500, 200)


@click.command("screenshot")
@run_argument
@store_option
@click.option("--at", metavar="TIME", help="The moment: 12.3s, 01:02.5, 50%, or an ISO time.")
@click.option("--span", metavar="ID", help="The moment: the start of the span whose id begins so.")
@click.option("--error", is_flag=True, help="The moment: the first error.")
@click.option("--call", type=click.IntRange(min=0), metavar="N", help="The moment: the start of model call N.")
@click.option("--panel", type=click.Choice(_PANELS), default="span", show_default=True, help="The open panel.")
@click.option("--size", default="120x40", show_default=True, metavar="COLSxROWS", help="The terminal's size.")
@click.option("--light", is_flag=True, help="Dark on light.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; standard output by default.")
def command(
    run: str,
    store: Path,
    at: str | None,
    span: str | None,
    error: bool,
    call: int | None,
    panel: str,
    size: str,
    light: bool,
    output: Path | None,
) -> None:
    """Write the replay screen of RUN at a moment as an SVG picture. Needs no terminal."""
    from cabtrace.cli.replay import named_place, named_run
    from replay.session import Tab
    from replay.tui.picture import take_picture

    place, cells = named_place(at, span, error=error, call=call), parse_size(size)
    svg = take_picture(store, named_run(store, run), place=place, tab=Tab[panel.upper()], size=cells, light=light)
    if output is None or str(output) == "-":
        click.echo(svg)
    else:
        output.write_text(svg, "utf-8")


def parse_size(text: str) -> tuple[int, int]:
    """`120x40` as columns and rows. Raises UsageError."""
    from cabtrace.errors import UsageError

    match = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
    columns, rows = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (_LEAST[0] <= columns <= _MOST[0] and _LEAST[1] <= rows <= _MOST[1]):
        least, most = "x".join(map(str, _LEAST)), "x".join(map(str, _MOST))
        raise UsageError(f"{text[:40]!r} is no size: columns x rows from {least} to {most}, such as 120x40.")
    return columns, rows
