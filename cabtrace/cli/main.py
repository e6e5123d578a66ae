"""`cabtrace`: finds the command, imports it when it runs, turns errors into one sentence and an exit code."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence

import click

from cabtrace import __version__
from cabtrace.errors import EXIT_HARNESS, EXIT_USAGE, CabtraceError

# command -> (module below cabtrace.cli, one line of help). Help of the group needs no import of any command.
COMMANDS = {
    "run": ("run", "Run one cell: an agent, a model, a task, in a sandbox."),
    "run-cell": ("run_cell", "Run one cell inside an agent's image; the container is the sandbox."),
    "check": ("check", "Try an agent and a model on one task, here and now; provisional."),
    "record": ("record", "Record a program while you use it in this terminal."),
    "image": ("image", "Build images that hold an agent's CLI and cabtrace."),
    "ls": ("ls", "List the runs of the store."),
    "show": ("show", "Show one run: verdict, cause, scores, spans, model calls."),
    "replay": ("replay", "Replay a run in the terminal, forwards and backwards."),
    "screenshot": ("screenshot", "Write the replay screen at a moment as an SVG picture."),
    "why": ("why", "Say why a run ended as it did, with the moment to look at."),
    "export": ("export", "Export a run: to Jaeger, Tempo, any OTLP backend, or a file in another format."),
    "import": ("import_group", "Import a trace that was recorded elsewhere as a run."),
    "diff": ("diff", "Compare two runs, and show where they parted."),
    "triage": ("triage", "Group the failing cells of the store by what went wrong."),
    "outbox": ("outbox", "List exports that are not finished."),
    "rerun": ("rerun", "Run a cell again on its recorded model answers, offline."),
    "verify": ("verify", "Hold a run against its manifest and its formats."),
    "recover": ("recover", "Close a run whose recorder was killed."),
    "gc": ("gc", "Remove what killed runs left behind: containers, processes, folders."),
    "doctor": ("doctor", "Say what works on this machine."),
    "demo": ("demo", "Run two small cells for real, without a key, Docker or network."),
    "model": ("model", "Serve scripted model answers over HTTP."),
    "completion": ("completion", "Print the shell completion script."),
}


_SENTENCE_CHARS = 2_000
_NAME_CHARS = 500
_TRACEBACK_CHARS = 20_000


class LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"cabtrace.cli.{COMMANDS[cmd_name][0]}")
        command = module.command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            meant = f" Did you mean {close[0]}?" if close else " `cabtrace --help` lists the commands."
            ctx.fail(f"There is no command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 ran and passed, 1 ran and failed, 2 wrong usage, 3 the harness could not run it.",
)
@click.version_option(__version__, prog_name="cabtrace")
def cli() -> None:
    """Record coding-agent runs with OpenTelemetry, replay them in the terminal, find out why a cell failed.

    RUN is a path, a cell id, a unique prefix, or @last, @failed. The store is --store, else CABTRACE_STORE, else the
    platform's data directory.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point; never raises for what a user can put right."""
    try:
        code = cli.main(args=None if argv is None else list(argv), prog_name="cabtrace", standalone_mode=False)
    except click.exceptions.Abort:
        _complain("interrupted", "")
        return EXIT_HARNESS
    except click.ClickException as error:
        hint = f"`{error.ctx.command_path} --help` says more." if isinstance(error, click.UsageError) and error.ctx else ""
        _complain(error.format_message(), hint)
        return EXIT_USAGE
    except CabtraceError as error:
        _complain(error.what, error.hint)
        return error.exit_code
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of a pipe had enough
            _drop_stdout()
            return 0
        name = str(error.filename or "")
        where = f"{name[:_NAME_CHARS]}{'…' if len(name) > _NAME_CHARS else ''}: " if name else ""
        _complain(f"{where}{error.strerror or error}", "")
        return EXIT_USAGE if error.errno == errno.ENAMETOOLONG else EXIT_HARNESS
    except Exception as error:  # noqa: BLE001 - a defect of cabtrace's own; its traceback may quote a recording, so it is made harmless
        _tell_defect(error)
        return EXIT_HARNESS
    return code if isinstance(code, int) else 0


def _complain(what: str, hint: str) -> None:
    from cabtrace.text import safe

    what = what if what.endswith((".", "?", "!")) else f"{what}."
    click.echo(safe(f"cabtrace: {what}{f' {hint}' if hint else ''}", max_chars=_SENTENCE_CHARS, newlines=False), err=True)


def _tell_defect(error: Exception) -> None:
    import traceback

    from cabtrace.text import safe

    told = "".join(traceback.format_exception(error))
    click.echo(safe(told, max_chars=_TRACEBACK_CHARS), err=True)
    _complain(
        f"{type(error).__name__}: this is a defect of cabtrace {__version__}, not of what you did",
        "Please report it with the lines above.",
    )


def _drop_stdout() -> None:
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
