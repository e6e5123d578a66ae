"""`cabtrace import`: one subcommand a kind of recording."""

from __future__ import annotations

import click

_KINDS = {"otlp": ("cabtrace.cli.import_otlp", "A trace from a file, or from Jaeger or Tempo.")}


class ImportGroup(click.Group):
    """Imports a subcommand's module only when that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_KINDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _KINDS:
            return None
        from importlib import import_module

        command = import_module(_KINDS[cmd_name][0]).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Recordings"):
            formatter.write_dl([(name, text) for name, (_, text) in _KINDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _KINDS and not args[0].startswith("-"):
            ctx.fail(f"There is no kind of recording {args[0]!r}. Known are: {', '.join(_KINDS)}.")
        return super().resolve_command(ctx, args)


@click.group("import", cls=ImportGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def command(ctx: click.Context) -> None:
    """Import what was recorded elsewhere as a run: `ls`, `show`, `replay`, `why`, `diff` and `export` take it like any other."""
    if ctx.invoked_subcommand is None:
        ctx.fail(f"Name a kind of recording: {', '.join(_KINDS)}.")
