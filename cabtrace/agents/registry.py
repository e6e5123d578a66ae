"""Finding agents: the built-in ones and those that other packages bring."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from cabtrace.errors import UnknownAgentError, UsageError
from cabtrace.protocols import Agent

GROUP: Final = "cabtrace.agents"
PLUGINS_VARIABLE: Final = "CABTRACE_PLUGINS"
# Also there where the package was not installed but is merely importable.
BUILT_IN: Final[Mapping[str, str]] = {
    "reference": "cabtrace.agents.reference:ReferenceAgent",
    "copilot": "cabtrace.agents.copilot:CopilotAgent",
    "claude-code": "cabtrace.agents.claude_code:ClaudeCodeAgent",
    "codex": "cabtrace.agents.codex:CodexAgent",
    "gemini": "cabtrace.agents.gemini:GeminiAgent",
    "opencode": "cabtrace.agents.opencode:OpencodeAgent",
    "qwen": "cabtrace.agents.qwen:QwenAgent",
    "aider": "cabtrace.agents.aider:AiderAgent",
    "mini-swe-agent": "cabtrace.agents.mini_swe_agent:MiniSweAgent",
    "command": "cabtrace.agents.command:CommandAgent",
    "oracle": "cabtrace.agents.oracle:OracleAgent",
    "nop": "cabtrace.agents.nop:NopAgent",
}


def agent_names(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """All agents by name: the built-in ones first, then others in alphabetical order. Loads none of them."""
    others = sorted(set(_entry_points(environ)) - set(BUILT_IN))
    return (*BUILT_IN, *others)


def find_agent(name: str, environ: Mapping[str, str] = os.environ) -> Agent:
    """The agent of that name. Raises UnknownAgentError, and UsageError where a plug-in cannot be loaded.

    `CABTRACE_PLUGINS` (names, separated by commas; may be empty) restricts which agents of other packages are loaded.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return cast("Agent", getattr(import_module(module), attribute)())
    found = _entry_points(environ).get(name)
    if found is None:
        known = agent_names(environ)
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UnknownAgentError(f"there is no agent named {name!r}.", hint=f"{meant}Known are: {', '.join(known)}.")
    try:
        return cast("Agent", found.load()())
    except Exception as error:  # a plug-in may raise anything
        raise UsageError(
            f"the agent {name!r} of {_origin(found)} cannot be loaded: {type(error).__name__}: {error}.",
            hint=f"Repair or remove that package, or leave it out with {PLUGINS_VARIABLE}.",
        ) from error


def _entry_points(environ: Mapping[str, str]) -> dict[str, EntryPoint]:
    """Agents by entry point; an entry of our own distribution needs no permission."""
    allowed = environ.get(PLUGINS_VARIABLE)
    names = None if allowed is None else {part.strip() for part in allowed.split(",")}
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if names is None or entry.name in names or _origin(entry) == "cabtrace":
            found.setdefault(entry.name, entry)
    return found


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
