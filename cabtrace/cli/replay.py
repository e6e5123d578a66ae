"""`cabtrace replay`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cabtrace.cli.options import complete_run, json_option, store_option

if TYPE_CHECKING:
    from replay.places import Place


@click.command("replay")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_run)
@store_option
@click.option("--at", metavar="TIME", help="Begin there: 12.3s, 01:02.5, 50%, or an ISO time.")
@click.option("--span", metavar="ID", help="Begin at the span whose id begins so.")
@click.option("--error", is_flag=True, help="Begin at the first error.")
@click.option("--call", type=click.IntRange(min=0), metavar="N", help="Begin at model call N.")
@click.option("--follow", is_flag=True, help="Follow the run while it records; without RUN, the latest.")
@click.option("--plain", is_flag=True, help="Print the story as text instead; so does a pipe.")
@json_option
@click.option("--web", is_flag=True, help="Show it in a browser of this machine; prints the address. Needs cabtrace[web].")
@click.option("--port", type=click.IntRange(1, 65_535), metavar="N", help="The port for --web [default: any that is free].")
@click.option(
    "--keymap",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keys by id, as TOML [default: keymap.toml in the platform's settings directory, if it is there].",
)
@click.option("--theme", type=click.Choice(("dark", "light")), help="The colours [default: those chosen before, else dark].")
@click.option("--keymap-template", is_flag=True, help="Print every key's id, its keys and what it does, as such a file.")
def command(
    run: str | None,
    store: Path,
    at: str | None,
    span: str | None,
    error: bool,
    call: int | None,
    follow: bool,
    plain: bool,
    as_json: bool,
    web: bool,
    port: int | None,
    keymap: Path | None,
    theme: str | None,
    keymap_template: bool,
) -> int:
    """Replay RUN in the terminal; without RUN, the list of runs."""
    from cabtrace.errors import UsageError

    if keymap_template:
        from replay.tui.keymap import template

        sys.stdout.write(template())
        return 0
    if port is not None and not web:
        raise UsageError("--port is for --web.")
    place = named_place(at, span, error=error, call=call)
    if follow:
        if place is not None:
            raise UsageError("--follow begins at the end of the run, so no other place can be named.")
        run = run or "@last"
    if run is None and place is not None:
        raise UsageError("A place needs a RUN to be in.", hint="`cabtrace ls` lists them; @last is the latest.")
    path = named_run(store, run) if run else None
    if web:
        if plain or as_json:
            raise UsageError(f"--web and {'--json' if as_json else '--plain'} exclude each other.")
        where = {"--at": at, "--span": span, "--call": None if call is None else str(call)}
        options = [word for name, value in where.items() if value is not None for word in (name, value)]
        options += ["--error"] if error else ["--follow"] if follow else []
        options += ["--keymap", str(keymap.absolute())] if keymap else []
        options += ["--theme", theme] if theme else []
        return _serve(store, path, options, port or 0)
    on_terminal = (sys.stdout.isatty() and sys.stdin.isatty()) or "TEXTUAL_DRIVER" in os.environ  # what --web sets
    told = plain or as_json
    if follow and (told or not on_terminal):
        raise UsageError("--follow needs a terminal.", hint="--plain and --json tell what is known so far.")
    if plain and as_json:
        raise UsageError("--json and --plain exclude each other.")
    if told or not on_terminal:
        if path is None:
            what = "With --json" if as_json else "With --plain" if plain else "Without a terminal"
            raise UsageError(f"{what}, RUN must be named.", hint="`cabtrace ls` lists them; @last is the latest.")
        _print_story(path, place, as_json=as_json)
        return 0
    from replay.start import run_app

    return run_app(store, path, place=place, keymap=keymap, theme=theme)


def _serve(store: Path, path: Path | None, options: list[str], port: int) -> int:
    """The same app in a browser, until ctrl-c. Each tab runs this command again, in the driver that textual-serve sets."""
    from replay.web import WebReplay

    argv = [sys.executable, "-m", "cabtrace.cli.main", "replay", "--store", str(store.absolute()), *options]
    argv += [] if path is None else ["--", str(path.absolute())]
    server = WebReplay(shlex.join(argv), f"cabtrace: {_title(path)}" if path else "cabtrace: runs", port)

    def ready(url: str) -> None:
        sys.stdout.write(f"{url}\nOnly this address opens the replay, only on this machine. Ctrl-c ends it.\n")
        sys.stdout.flush()

    server.serve(ready)
    return 0


def _title(path: Path) -> str:
    """Of a run, for the browser's tab; its path where it cannot be read, which the app then says."""
    from cabtrace.errors import CabtraceError
    from cabtrace.store.reader import read_header

    try:
        return read_header(path).title
    except CabtraceError:
        return str(path)


def named_place(at: str | None, span: str | None, *, error: bool, call: int | None) -> Place | None:
    """The place that options name; costs no import where none does. Raises UsageError."""
    if at is None and span is None and call is None and not error:
        return None
    from replay.places import parse_link

    return parse_link(at=at, span=span, error=error, call=call)


def named_run(store: Path, run: str) -> Path:
    """The directory of a run. Raises NoSuchRunError."""
    try:
        if (Path(run) / "run.json").is_file():
            return Path(run)  # needs no look at the store, nor the imports for it
    except OSError:  # too long for any file system
        pass
    from cabtrace.store.catalog import find_run

    return find_run(store, run)


def _print_story(path: Path, place: Place | None, *, as_json: bool) -> None:
    from replay.places import resolve
    from replay.run import ReplayRun

    run = ReplayRun(path)
    found = None if place is None else resolve(place, run.snapshot.timeline, run.snapshot.calls)
    if as_json:
        from cabtrace.cli import out
        from replay.story_data import as_data

        out.print_json(as_data(run, found=found))
        return
    from replay.story import tell

    for line in tell(run, width=shutil.get_terminal_size((120, 40)).columns, found=found):
        sys.stdout.write(line + "\n")
