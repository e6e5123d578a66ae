"""GitHub Copilot CLI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.agents.otlp import otlp_environment
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript


class CopilotAgent:
    """`copilot -p` with a provider of one's own: no GitHub login, no GitHub service."""

    name = "copilot"
    verified_version = "1.0.102"
    capabilities = AgentCapabilities(apis=("openai.chat",), telemetry=True, transcript=True, refusal_signals=("content_filter",))

    def launch(self, context: LaunchContext) -> Launch:
        """Offline mode switches off everything that would talk to anyone but the provider."""
        env = {
            "COPILOT_HOME": f"{context.paths.home}/.copilot",
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
            "COPILOT_PROVIDER_TYPE": "openai",
            "COPILOT_PROVIDER_BASE_URL": f"{context.base_url}/v1",
            "COPILOT_PROVIDER_API_KEY": context.token,
            "COPILOT_PROVIDER_WIRE_API": "completions",
            "COPILOT_MODEL": context.model,
        }
        if context.otlp_endpoint:
            env |= {
                "COPILOT_OTEL_ENABLED": "true",
                "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
                **otlp_environment(context),
            }
        return Launch(argv=("copilot", "--allow-all", *context.argv, f"--prompt={context.prompt}"), env=env)

    def executables(self) -> tuple[str, ...]:
        """Its loader runs on Node."""
        return ("copilot",)

    def version_argv(self) -> tuple[str, ...]:
        """Prints `GitHub Copilot CLI 1.0.102.` and a hint."""
        return ("copilot", "--version")

    def transcript_globs(self) -> tuple[str, ...]:
        """One file of events a session."""
        return (".copilot/session-state/*/events.jsonl",)

    def read_transcript(self, folder: Path) -> Transcript:
        """The events of every session."""
        from cabtrace.agents.transcripts import copilot

        return copilot.read(folder)
