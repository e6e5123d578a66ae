"""`cabtrace completion`."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL, to be sourced: `source <(cabtrace completion bash)`."""
    from click.shell_completion import get_completion_class

    from cabtrace.cli.main import cli

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(made(cli, {}, "cabtrace", "_CABTRACE_COMPLETE").source())
