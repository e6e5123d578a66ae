"""Codex."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.agents.otlp import otlp_environment
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript

_CONFIG = ".codex/config.toml"


class CodexAgent:
    """`codex exec`, which prints what it runs and says. It takes its endpoint from its configuration file only."""

    name = "codex"
    verified_version = "0.169.0"
    capabilities = AgentCapabilities(
        apis=("openai.responses",), telemetry=True, transcript=True, refusal_signals=("content_filter",)
    )

    def launch(self, context: LaunchContext) -> Launch:
        """Its own sandbox is off: the cell is one."""
        env = {
            "CODEX_HOME": f"{context.paths.home}/.codex",
            "OPENAI_API_KEY": context.token,
            **otlp_environment(context),
        }
        argv = (
            "codex",
            "exec",
            "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox",
            *context.argv,
            "--",
            context.prompt,
        )
        return Launch(argv=argv, env=env, files={_CONFIG: config(context).encode()})

    def executables(self) -> tuple[str, ...]:
        """A program of its own."""
        return ("codex",)

    def version_argv(self) -> tuple[str, ...]:
        """Prints `codex-cli 0.169.0`."""
        return ("codex", "--version")

    def transcript_globs(self) -> tuple[str, ...]:
        """A rollout a session."""
        return (".codex/sessions/**/rollout-*.jsonl",)

    def read_transcript(self, folder: Path) -> Transcript:
        """The rollouts."""
        from cabtrace.agents.transcripts import codex

        return codex.read(folder)


def config(context: LaunchContext) -> str:
    """`config.toml`: one provider, no updates, no analytics; telemetry to the cell's receiver."""
    lines = [
        f"model = {_quoted(context.model)}",
        'model_provider = "cell"',
        "check_for_update_on_startup = false",
        "[model_providers.cell]",
        'name = "cell"',
        f"base_url = {_quoted(context.base_url + '/v1')}",
        'env_key = "OPENAI_API_KEY"',
        'wire_api = "responses"',
        "[analytics]",
        "enabled = false",
        "[feedback]",
        "enabled = false",
        "[otel]",
    ]
    if not context.otlp_endpoint:
        return "\n".join([*lines, 'exporter = "none"', 'trace_exporter = "none"', 'metrics_exporter = "none"', ""])
    headers = "{ " + ", ".join(f"{_quoted(k)} = {_quoted(v)}" for k, v in _headers(context.otlp_headers)) + " }"
    for key, signal in (("exporter", "logs"), ("trace_exporter", "traces"), ("metrics_exporter", "metrics")):
        endpoint = _quoted(f"{context.otlp_endpoint}/v1/{signal}")
        lines.append(f'{key} = {{ otlp-http = {{ endpoint = {endpoint}, protocol = "binary", headers = {headers} }} }}')
    return "\n".join([*lines, "log_user_prompt = true", ""])


def _headers(text: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in text.split(",") if "=" in part]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
