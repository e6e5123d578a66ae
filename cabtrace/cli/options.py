"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

Function = TypeVar("Function", bound=Callable[..., Any])


def store_option(function: Function) -> Function:
    """`--store DIR`, resolved to a path."""

    def resolve(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path:
        from cabtrace.store.layout import default_store

        return value.expanduser() if value else default_store()

    option = click.option(
        "--store",
        type=click.Path(path_type=Path, file_okay=False),
        callback=resolve,
        metavar="DIR",
        help="Where runs are kept [default: CABTRACE_STORE, else the platform's data directory].",
    )
    return option(function)


def json_option(function: Function) -> Function:
    """`--json`."""
    return click.option("as_json", "--json", is_flag=True, help="Print JSON.")(function)


def report_option(function: Function) -> Function:
    """`--report FILE`, by which a program that runs this command learns what it is doing; not for people."""
    return click.option("--report", "report_file", type=click.Path(path_type=Path), hidden=True)(function)


def run_argument(function: Function) -> Function:
    """RUN, completed from the store."""
    return click.argument("run", metavar="RUN", shell_complete=complete_run)(function)


def complete_run(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Cell ids that begin so."""
    from cabtrace.store.catalog import list_runs
    from cabtrace.store.layout import default_store

    store = ctx.params.get("store") or default_store()
    ids = {r.header.cell_id for r in list_runs(store) if r.header} | {"@last", "@failed"}
    return [CompletionItem(i) for i in sorted(ids) if i.startswith(incomplete)]
