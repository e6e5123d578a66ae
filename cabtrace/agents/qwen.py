"""Qwen Code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.agents.otlp import otlp_environment
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript


class QwenAgent:
    """`qwen --prompt`, which prints its answer as text."""

    name = "qwen"
    verified_version = "0.15.10"
    capabilities = AgentCapabilities(apis=("openai.chat",), telemetry=True, transcript=True, refusal_signals=("content_filter",))

    def launch(self, context: LaunchContext) -> Launch:
        """Endpoint and key by environment; they would show in `ps` as arguments."""
        env = {
            "OPENAI_API_KEY": context.token,
            "OPENAI_BASE_URL": f"{context.base_url}/v1",
            "OPENAI_MODEL": context.model,
            **otlp_environment(context),
        }
        argv = (
            "qwen",
            "--yolo",
            "--auth-type",
            "openai",
            "--model",
            context.model,
            "--chat-recording",
            *context.argv,
            f"--prompt={context.prompt}",
        )
        return Launch(argv=argv, env=env, files={".qwen/settings.json": json.dumps(settings(context)).encode()})

    def executables(self) -> tuple[str, ...]:
        """It runs on Node."""
        return ("qwen",)

    def version_argv(self) -> tuple[str, ...]:
        """Prints the number alone."""
        return ("qwen", "--version")

    def transcript_globs(self) -> tuple[str, ...]:
        """A file a session."""
        return (".qwen/projects/*/chats/*.jsonl",)

    def read_transcript(self, folder: Path) -> Transcript:
        """The chats."""
        from cabtrace.agents.transcripts import qwen

        return qwen.read(folder)


def settings(context: LaunchContext) -> dict[str, object]:
    """`settings.json`: no updates, no statistics; telemetry to the cell's receiver."""
    content: dict[str, object] = {
        "security": {"auth": {"selectedType": "openai"}},
        "general": {"enableAutoUpdate": False, "disableAutoUpdate": True, "disableUpdateNag": True},
        "privacy": {"usageStatisticsEnabled": False},
    }
    if context.otlp_endpoint:
        content["telemetry"] = {
            "enabled": True,
            "target": "local",
            "otlpEndpoint": context.otlp_endpoint,
            "otlpProtocol": "http",
            "logPrompts": True,
        }
    return content
