"""`cabtrace record`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cabtrace.cli.options import store_option

if TYPE_CHECKING:
    from cabtrace.runner.record_spec import Recorded


@click.command("record", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--agent", default="", metavar="NAME", help="Point the program, which is this agent, at the recording proxy.")
@click.option("--model", default="", metavar="ID", help="Model id, as the endpoint knows it; with --agent.")
@click.option(
    "--endpoint",
    envvar=["CABTRACE_ENDPOINT", "OPENAI_BASE_URL"],
    default="",
    metavar="URL",
    help="The model's base URL; with --agent [env: CABTRACE_ENDPOINT, OPENAI_BASE_URL]. The key comes from CABTRACE_API_KEY or"
    " OPENAI_API_KEY.",
)
@store_option
@click.option("--sweep", default="recorded", show_default=True, metavar="NAME", help="What this recording belongs to.")
@click.option("--bodies/--no-bodies", default=True, show_default=True, help="Record what the model was asked and answered.")
@click.argument("argv", metavar="-- CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(agent: str, model: str, endpoint: str, store: Path, sweep: str, bodies: bool, argv: tuple[str, ...]) -> int:
    """Record CMD while you use it in this terminal: what is shown, with its timing; keys are not recorded.

    Without --agent CMD runs just as it would without cabtrace, login and settings included. With it, CMD gets settings of its
    own for this recording, which point it at a proxy: then its model calls, its own spans and its transcript are recorded too.
    The exit code is CMD's.
    """
    from cabtrace.agents.registry import find_agent
    from cabtrace.cli.run import api_key
    from cabtrace.errors import UsageError
    from cabtrace.runner.preflight import check_endpoint
    from cabtrace.runner.record import record
    from cabtrace.runner.record_spec import RecordSpec
    from cabtrace.store.layout import default_scratch

    found = find_agent(agent) if agent else None
    key = api_key() if found else ""
    if found and found.capabilities.uses_model:
        if not endpoint or (not model and agent != "command"):
            raise UsageError(
                f"--agent {agent} needs --endpoint and --model.",
                hint="Leave --agent out to record the program with its own login and settings.",
            )
        check_endpoint(endpoint, key)
    spec = RecordSpec(
        argv=argv,
        cwd=Path.cwd(),
        store=store,
        scratch=default_scratch(),
        agent=found,
        model=model,
        endpoint=endpoint if found else "",
        api_key=key,
        sweep=sweep,
        bodies=bodies,
    )
    recorded = record(spec)
    _report(recorded, store)
    return recorded.exit_code


def _report(recorded: Recorded, store: Path) -> None:
    """To stderr, so that the program's own output stays what it is."""
    import shlex

    from cabtrace.store.layout import default_store
    from cabtrace.text import safe

    header = recorded.header
    where = [] if store == default_store() else ["--store", str(store)]
    lines = [f"cabtrace: recorded in {recorded.path}"]
    if header.cause_detail:
        lines = [f"cabtrace: the recording failed: {header.cause_detail}"]
    lines += [f"  note: {warning}" for warning in header.warnings]
    lines.append(f"Next: {shlex.join(['cabtrace', 'replay', *where, header.key])}")
    for line in lines:
        click.echo(safe(line, newlines=False), err=True)
