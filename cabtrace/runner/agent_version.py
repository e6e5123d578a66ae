"""Which version of the agent it is that will run: asked of the program itself, in the cell."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cabtrace.errors import CabtraceError
from cabtrace.protocols import Command
from cabtrace.runner.pty import pump

if TYPE_CHECKING:
    from cabtrace.protocols import Agent, Sandbox, SandboxPaths
    from cabtrace.store.writer import RunWriter

_LIMIT_NS: Final = 10 * 10**9
_OUTPUT_BYTES: Final = 64 * 1024
_ESCAPES: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78])")
_VERSION: Final = re.compile(
    r"(?<![\w.])v?(\d{1,6}\.\d{1,6}(?:\.\d{1,10})?(?:[-+][0-9A-Za-z][0-9A-Za-z.-]{0,40}){0,2})(?!\w|\.\d)"
)
_TELEMETRY: Final = ("OTEL_", "TRACEPARENT")


def agent_version(
    agent: Agent,
    sandbox: Sandbox,
    paths: SandboxPaths,
    env: Mapping[str, str],
    now_ns: Callable[[], int],
    cancelled: threading.Event,
) -> str:
    """What its `version_argv` prints, at most 10 seconds; "" where it has none or does not tell.

    Args:
        agent: Whose version it is.
        sandbox: An open one, with the agent's home in place; nothing else may run in it.
        paths: Of that sandbox.
        env: The environment that the agent will be launched with; no telemetry is sent from here.
        now_ns: The run's clock.
        cancelled: Ends it early.
    """
    argv = tuple(getattr(agent, "version_argv", tuple)())
    if not argv:
        return ""
    output = bytearray()

    def take(_: int, data: bytes) -> None:
        output.extend(data[: _OUTPUT_BYTES - len(output)])

    quiet = {name: value for name, value in env.items() if not name.startswith(_TELEMETRY)}
    try:
        process = sandbox.start(Command(argv, quiet, paths.home))
        try:
            deadline_ns = now_ns() + _LIMIT_NS
            pump(process, on_output=take, now_ns=now_ns, deadline_ns=deadline_ns, grace_s=0.5, cancelled=cancelled)
        finally:
            process.close()
    except (CabtraceError, OSError):
        return ""  # that it cannot be run is told when it is to be run
    return find_version(bytes(output))


def find_version(output: bytes) -> str:
    """The first version number in what a program printed; ""."""
    plain = _ESCAPES.sub(b"", output).decode("utf-8", "replace")
    found = _VERSION.search(plain)
    return found.group(1).rstrip(".-") if found else ""


def learn_version(
    agent: Agent,
    sandbox: Sandbox,
    paths: SandboxPaths,
    env: Mapping[str, str],
    now_ns: Callable[[], int],
    cancelled: threading.Event,
    writer: RunWriter,
) -> list[str]:
    """Records the version in run.json; hands back what the record should warn of."""
    version = agent_version(agent, sandbox, paths, env, now_ns, cancelled)
    if version:
        writer.update(agent=replace(writer.header.agent, version=version))
    warning = version_warning(agent, version)
    return [warning] if warning else []


def version_warning(agent: Agent, version: str) -> str:
    """A sentence for the record, where it is not the one that the adapter was verified with; else ""."""
    verified = getattr(agent, "verified_version", "")
    if not verified or version == verified:
        return ""
    if not version:
        return f"the version of {agent.name} could not be learned; the adapter was verified with {verified}"
    return f"{agent.name} {version} is not the version that the adapter was verified with ({verified})"
