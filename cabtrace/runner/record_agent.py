"""How a program that the user starts by hand is pointed at the recording proxy, where `--agent` says how."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from cabtrace.runner.agent_version import find_version
from cabtrace.runner.harvest import roots

if TYPE_CHECKING:
    from cabtrace.protocols import Agent, Launch

_VERSION_S: Final = 10
_OWN_VARIABLES: Final = ("CAB_KEY", "CABTRACE_API_KEY")


def environment(agent: Agent, launch: Launch, home: str, api_key: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The user's environment with the agent's on top; the real key is in none of it.

    `HOME` stays the user's where the agent can be told otherwise where its own files are: its shell then finds the user's tools.
    """
    env = {k: v for k, v in environ.items() if k not in _OWN_VARIABLES and not (api_key and api_key in v)}
    env |= launch.env
    return env if finds_home(agent, launch, home) else {**env, "HOME": home}


def finds_home(agent: Agent, launch: Launch, home: str) -> bool:
    """Whether every file of the agent, written for it or by it, lies where one of its own variables points to."""
    folders = {PurePosixPath(v) for v in launch.env.values() if v.startswith(f"{home}/") or v == home}
    names = (*launch.files, *roots(tuple(getattr(agent, "transcript_globs", tuple)())))
    places = [PurePosixPath(home, name) for name in names]
    return all(any(folder in (place, *place.parents) for folder in folders) for place in places)


def version_of(agent: Agent, env: Mapping[str, str], cwd: Path) -> str:
    """What its program says of itself; "" where it says nothing."""
    argv = tuple(getattr(agent, "version_argv", tuple)())
    quiet = {name: value for name, value in env.items() if not name.startswith(("OTEL_", "TRACEPARENT"))}
    if not argv:
        return ""
    try:
        done = subprocess.run(
            argv, env=quiet, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return find_version(done.stdout or done.stderr)
