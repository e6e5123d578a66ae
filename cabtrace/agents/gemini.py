"""Gemini CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.agents.otlp import otlp_environment
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript

_SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},  # without it: "Invalid auth method selected"
    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    "privacy": {"usageStatisticsEnabled": False},
}


class GeminiAgent:
    """`gemini --prompt`, which prints its answer as text."""

    name = "gemini"
    verified_version = "0.61.0"
    capabilities = AgentCapabilities(
        apis=("gemini.generate_content",),
        telemetry=True,
        transcript=True,
        refusal_signals=("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST"),
    )

    def launch(self, context: LaunchContext) -> Launch:
        """The folder is trusted: it is the cell's."""
        env = {
            "GEMINI_API_KEY": context.token,
            "GOOGLE_GEMINI_BASE_URL": context.base_url,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "GEMINI_CLI_HOME": context.paths.home,
            "COLORTERM": "truecolor",  # else it warns
        }
        if context.otlp_endpoint:
            env |= {
                "GEMINI_TELEMETRY_ENABLED": "true",
                "GEMINI_TELEMETRY_TARGET": "local",
                "GEMINI_TELEMETRY_OTLP_ENDPOINT": context.otlp_endpoint,
                "GEMINI_TELEMETRY_OTLP_PROTOCOL": "http",
                "GEMINI_TELEMETRY_TRACES_ENABLED": "true",
                "GEMINI_TELEMETRY_LOG_PROMPTS": "true",
                **otlp_environment(context),
            }
        argv = ("gemini", "--yolo", "--model", context.model, *context.argv, f"--prompt={context.prompt}")
        return Launch(argv=argv, env=env, files={".gemini/settings.json": json.dumps(_SETTINGS).encode()})

    def executables(self) -> tuple[str, ...]:
        """It runs on Node."""
        return ("gemini",)

    def version_argv(self) -> tuple[str, ...]:
        """Prints the number alone."""
        return ("gemini", "--version")

    def transcript_globs(self) -> tuple[str, ...]:
        """A file a session; older versions wrote .json."""
        return (".gemini/tmp/*/chats/**/session-*.json*",)

    def read_transcript(self, folder: Path) -> Transcript:
        """The chats."""
        from cabtrace.agents.transcripts import gemini

        return gemini.read(folder)
