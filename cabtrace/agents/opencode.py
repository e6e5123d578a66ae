"""opencode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.agents.otlp import otlp_environment
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript

_PROVIDER = "cell"
_PROMPT = ".opencode-prompt"
# As an argument the prompt would reach the model in quotation marks, with its own ones escaped.
_START = 'exec "$@" <"$0"'


class OpencodeAgent:
    """`opencode run`, which prints what it runs and says."""

    name = "opencode"
    verified_version = "1.18.33"
    capabilities = AgentCapabilities(apis=("openai.chat",), telemetry=True, transcript=True, refusal_signals=("content_filter",))

    def launch(self, context: LaunchContext) -> Launch:
        """One provider, in its configuration file; its folders are the cell's home whatever the image says."""
        home = context.paths.home
        env = {
            "OPENAI_API_KEY": context.token,
            "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_DATA_HOME": f"{home}/.local/share",
            "XDG_STATE_HOME": f"{home}/.local/state",
            "XDG_CACHE_HOME": f"{home}/.cache",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            **otlp_environment(context),
        }
        argv = ("sh", "-c", _START, f"{home}/{_PROMPT}", "opencode", "run", "--auto", *context.argv)
        files = {
            ".config/opencode/opencode.json": json.dumps(settings(context)).encode(),
            _PROMPT: context.prompt.encode("utf-8", "surrogateescape"),
        }
        return Launch(argv=argv, env=env, files=files)

    def executables(self) -> tuple[str, ...]:
        """A program of its own."""
        return ("opencode",)

    def version_argv(self) -> tuple[str, ...]:
        """Prints the number alone."""
        return ("opencode", "--version")

    def transcript_globs(self) -> tuple[str, ...]:
        """An SQLite database and what was not yet folded into it."""
        return (".local/share/opencode/opencode.db", ".local/share/opencode/opencode.db-wal")

    def derive(self, folder: Path) -> Mapping[str, bytes]:
        """The database's rows as text; secrets cannot be removed from the database itself."""
        from cabtrace.agents.transcripts import opencode

        return opencode.derive(folder)

    def read_transcript(self, folder: Path) -> Transcript:
        """The messages and parts of every session."""
        from cabtrace.agents.transcripts import opencode

        return opencode.read(folder)


def settings(context: LaunchContext) -> dict[str, object]:
    """`opencode.json`. The key is named, not written: opencode fills it from the environment."""
    model = f"{_PROVIDER}/{context.model}"
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": _PROVIDER,
        "options": {"baseURL": f"{context.base_url}/v1", "apiKey": "{env:OPENAI_API_KEY}"},
        "models": {context.model: {"name": context.model}},
    }
    return {
        "autoupdate": False,
        "share": "disabled",
        "model": model,
        "small_model": model,
        "provider": {_PROVIDER: provider},
        "experimental": {"openTelemetry": bool(context.otlp_endpoint)},
    }
