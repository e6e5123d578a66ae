"""`cabtrace doctor --agents`: which agents are here, in which version, and what can be recorded of each."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_AT_ONCE = 4
_KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True, slots=True)
class AgentCheck:
    """One agent. `version` "" is unknown; `found` names its programs on this machine, `missing` those that are not."""

    name: str
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    version: str = ""
    verified_version: str = ""
    apis: tuple[str, ...] = ()
    telemetry: bool = False
    transcript: bool = False
    uses_model: bool = False
    problem: str = ""

    @property
    def ok(self) -> bool | None:
        """None: not here, or not the version that the adapter was verified with."""
        return None if self.problem or self.missing or (self.verified_version and self.version != self.verified_version) else True

    @property
    def records(self) -> str:
        """In words. The terminal and the changed files are recorded of every agent."""
        own = [word for word, has in (("own spans", self.telemetry), ("transcript", self.transcript)) if has]
        calls = [f"model calls ({', '.join(self.apis)})"] if self.uses_model and self.apis else []
        return ", ".join((*calls, *own)) or "terminal"


def check_agents() -> list[AgentCheck]:
    """Every agent; asks each program for its version, in a home of its own so that it leaves nothing in the user's."""
    from cabtrace.agents.registry import agent_names

    home = tempfile.TemporaryDirectory(prefix="cabtrace-doctor-", ignore_cleanup_errors=True)
    with home, ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda name: _check(name, Path(tempfile.mkdtemp(dir=home.name))), agent_names()))


def _check(name: str, own: Path) -> AgentCheck:
    from cabtrace.agents.registry import find_agent
    from cabtrace.errors import CabtraceError
    from cabtrace.runner.record_agent import version_of

    try:
        agent = find_agent(name)
    except CabtraceError as error:  # another package's, which cannot be loaded
        return AgentCheck(name, problem=str(error))

    where = {program: shutil.which(program) for program in agent.executables()}
    missing = tuple(program for program, path in where.items() if not path)
    env = {**{name: os.environ[name] for name in _KEPT if name in os.environ}, "HOME": str(own), "TERM": "dumb", "NO_COLOR": "1"}
    known = agent.capabilities
    return AgentCheck(
        name=agent.name,
        found=tuple(path for path in where.values() if path),
        missing=missing,
        version="" if missing else version_of(agent, env, own),
        verified_version=str(getattr(agent, "verified_version", "")),
        apis=known.apis if known.uses_model else (),
        telemetry=known.telemetry,
        transcript=known.transcript,
        uses_model=known.uses_model,
    )


def report_agents(*, as_json: bool) -> int:
    """Prints the table; 0, for cells run without any one of them."""
    from dataclasses import asdict

    from cabtrace.cli import out

    checks = check_agents()
    if as_json:
        out.print_json([{**asdict(check), "ok": check.ok, "records": check.records} for check in checks])
        return 0
    signs = {True: ("✓", "green"), None: ("–", "yellow")}
    rows = []
    for check in checks:
        found = f"missing: {', '.join(check.missing)}" if check.missing else ", ".join(check.found) or check.problem or "built in"
        words = (check.name, found, check.version, check.verified_version, check.records)
        rows.append([out.cell(*signs[check.ok]), *map(out.cell, words)])
    out.print_table(("", "agent", "found", "version", "verified", "records, with terminal and changed files"), rows)
    return 0
