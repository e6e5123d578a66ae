"""Finding agents: the built-in ones and those that other packages bring."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from cabtrace.entry_points import Registry
from cabtrace.errors import UnknownAgentError
from cabtrace.protocols import Agent

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
AGENTS: Final[Registry[Agent]] = Registry("cabtrace.agents", "agent", BUILT_IN, UnknownAgentError)


def agent_names(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """All agents by name: the built-in ones first, then others in alphabetical order. Loads none of them."""
    return AGENTS.names(environ)


def find_agent(name: str, environ: Mapping[str, str] = os.environ) -> Agent:
    """The agent of that name. Raises UnknownAgentError, and UsageError where a plug-in cannot be loaded."""
    return AGENTS.find(name, environ)
