"""`cabtrace export`: one subcommand a file format, `otlp` to a backend, `verify` to see what arrived."""

from __future__ import annotations

from pathlib import Path

import click

from cabtrace.cli.options import run_argument, store_option

_OWN = {"otlp": "cabtrace.cli.export_otlp", "verify": "cabtrace.cli.export_verify"}


class ExportGroup(click.Group):
    """Formats come from the registry; none is imported before it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from exporters.registry import exporter_names

        return [*_OWN, *exporter_names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from exporters.registry import exporter_names

        if cmd_name in _OWN:
            from importlib import import_module

            command = import_module(_OWN[cmd_name]).command
            return command if isinstance(command, click.Command) else None
        return _file_command(cmd_name) if cmd_name in exporter_names() else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from exporters.registry import HELP

        with formatter.section("Targets and formats"):
            own = [
                ("otlp", "Any OTLP backend: Jaeger, Tempo, the Collector, Phoenix, …"),
                ("verify", "What a backend kept of it."),
            ]
            formats = [(name, HELP.get(name, "From another package.")) for name in self.list_commands(ctx) if name not in _OWN]
            formatter.write_dl(own + formats)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], known, 1)
            meant = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."
            ctx.fail(f"There is no export format {args[0]!r}. {meant}")
        return super().resolve_command(ctx, args)


@click.group("export", cls=ExportGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--resume", is_flag=True, help="Send what earlier exports could not deliver.")
@click.option("--patience", type=click.FloatRange(0), default=60.0, show_default=True, metavar="S", help="Try a batch so long.")
@store_option
@click.pass_context
def command(ctx: click.Context, resume: bool, patience: float, store: Path) -> int | None:
    """Export a run: to a backend, or to a file in another format. A file holds all that was recorded, prompts included."""
    if ctx.invoked_subcommand is not None:
        if resume:
            ctx.fail("--resume stands alone")
        return None
    if not resume:
        ctx.fail("Name a format, or --resume")
    from cabtrace.cli.outbox import resume_all

    return resume_all(store, patience)


def _file_command(name: str) -> click.Command:
    from exporters.registry import HELP

    @click.command(name, help=f"Write RUN as {name}. {HELP.get(name, '')}")
    @run_argument
    @store_option
    @click.option("-o", "--output", metavar="FILE", help="Where to; - is standard output [default: a name made of the cell's].")
    @click.option("--force", is_flag=True, help="Replace FILE where it exists.")
    def file_command(run: str, store: Path, output: str | None, force: bool) -> None:
        from cabtrace.cli import out
        from cabtrace.cli.export_file import write_file
        from cabtrace.store.catalog import find_run
        from cabtrace.store.reader import RunView
        from exporters.registry import find_exporter

        exporter = find_exporter(name)
        written = write_file(exporter, RunView(find_run(store, run)), output, force=force)
        if written is not None:
            path, size = written
            out.say(f"{path}: {size:,} bytes")

    return file_command
