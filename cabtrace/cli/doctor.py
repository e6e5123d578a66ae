"""`cabtrace doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from cabtrace.cli.options import json_option, store_option


@dataclass(frozen=True, slots=True)
class Check:
    """`ok` None: it works without, with less."""

    name: str
    ok: bool | None
    found: str


@click.command("doctor")
@click.option("--agents", is_flag=True, help="List the agents: found, version, verified version, what can be recorded.")
@store_option
@json_option
def command(agents: bool, store: Path, as_json: bool) -> int:
    """Say what works on this machine; exit code 3 when no cell could be run at all."""
    from cabtrace.cli import out
    from cabtrace.errors import EXIT_HARNESS

    if agents:
        from cabtrace.cli.doctor_agents import report_agents

        return report_agents(as_json=as_json)
    checks = [_python(), _store(store), _git(), *_docker(), *_agents(), _terminal(), _engine()]
    if as_json:
        out.print_json([asdict(c) for c in checks])
    else:
        signs = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "yellow")}
        out.print_table(("", "what", "found"), [[out.cell(*signs[c.ok]), out.cell(c.name), out.cell(c.found)] for c in checks])
    return EXIT_HARNESS if any(c.ok is False for c in checks) else 0


def _python() -> Check:
    from cabtrace import __version__

    return Check(
        "cabtrace", True, f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )


def _store(store: Path) -> Check:
    parent = next(p for p in (store, *store.parents) if p.exists())
    if not os.access(parent, os.W_OK):
        return Check("store", False, f"{store} cannot be written; choose another with --store or CABTRACE_STORE")
    free = shutil.disk_usage(parent).free / 1024**3
    return Check("store", True, f"{store}, {free:.1f} GiB free")


def _git() -> Check:
    found = shutil.which("git")
    return Check("git", found is not None, found or "missing: changes to the workspace could not be recorded; install git")


def _docker() -> list[Check]:
    try:
        from cabtrace.runner.sandbox.docker import engine_version

        return [Check("docker", True, engine_version())]
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises, doctor's job is to say it
        return [Check("docker", None, f"{error} Without it, `--sandbox local` works and isolates nothing.")]


def _agents() -> list[Check]:
    from cabtrace.agents.registry import agent_names, find_agent

    checks = []
    for agent in map(find_agent, agent_names()):
        missing = [p for p in agent.executables() if not shutil.which(p)]
        found = (
            f"missing on this machine: {', '.join(missing)}"
            if missing
            else f"ready ({', '.join(agent.capabilities.apis) or 'no model'})"
        )
        checks.append(Check(f"agent {agent.name}", None if missing else True, found))
    return checks


def _terminal() -> Check:
    if not sys.stdout.isatty():
        return Check("terminal", None, "stdout is no terminal; replay prints text")
    size = shutil.get_terminal_size()
    small = size.columns < 80 or size.lines < 24
    return Check(
        "terminal",
        None if small else True,
        f"{size.columns}x{size.lines} {os.environ.get('TERM', '')}{', 80x24 is the least' if small else ''}",
    )


def _engine() -> Check:
    from importlib.util import find_spec

    if find_spec("pyghostty") is None:
        return Check(
            "terminal engine", None, "pyghostty is not installed; the replay shows plain text (pip install 'cabtrace[terminal]')"
        )
    return Check("terminal engine", True, "pyghostty (libghostty-vt)")
