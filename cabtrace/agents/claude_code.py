"""Claude Code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.agents.otlp import otlp_environment
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript

_TELEMETRY = {
    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",  # spans
    "CLAUDE_CODE_PROPAGATE_TRACEPARENT": "1",  # onto model calls and into its shell
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_TRACES_EXPORT_INTERVAL": "500",
    "OTEL_LOGS_EXPORT_INTERVAL": "500",
    "OTEL_LOG_USER_PROMPTS": "1",
    "OTEL_LOG_TOOL_DETAILS": "1",
    "OTEL_LOG_TOOL_CONTENT": "1",
}


class ClaudeCodeAgent:
    """`claude -p`, which prints its answer as text."""

    name = "claude-code"
    verified_version = "2.1.197"
    capabilities = AgentCapabilities(apis=("anthropic.messages",), telemetry=True, transcript=True, refusal_signals=("refusal",))

    def launch(self, context: LaunchContext) -> Launch:
        """Its configuration lives in the cell's home; as root it must be told that this is a sandbox."""
        env = {
            "ANTHROPIC_BASE_URL": context.base_url,
            "ANTHROPIC_API_KEY": context.token,
            "ANTHROPIC_MODEL": context.model,
            "ANTHROPIC_SMALL_FAST_MODEL": context.model,
            "CLAUDE_CONFIG_DIR": f"{context.paths.home}/.claude",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",  # updates, analytics, error reports
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
        }
        if context.otlp_endpoint:
            env |= _TELEMETRY | otlp_environment(context)
        argv = ("claude", "-p", "--verbose", "--dangerously-skip-permissions", *context.argv, "--", context.prompt)
        return Launch(argv=argv, env=env)

    def executables(self) -> tuple[str, ...]:
        """A program of its own."""
        return ("claude",)

    def version_argv(self) -> tuple[str, ...]:
        """Prints `2.1.197 (Claude Code)`."""
        return ("claude", "--version")

    def interactive_files(self, context: LaunchContext) -> Mapping[str, bytes]:
        """No welcome, which wants to reach its maker's servers, and no question whether the key may be used."""
        state = {"hasCompletedOnboarding": True, "customApiKeyResponses": {"approved": [context.token[-20:]], "rejected": []}}
        return {".claude/.claude.json": json.dumps(state).encode()}

    def transcript_globs(self) -> tuple[str, ...]:
        """A file a session, and one for each of its subagents."""
        return (".claude/projects/**/*.jsonl",)

    def read_transcript(self, folder: Path) -> Transcript:
        """Everything below `projects/`."""
        from cabtrace.agents.transcripts import claude_code

        return claude_code.read(folder)
