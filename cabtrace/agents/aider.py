"""aider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript

_FOLDER = ".aider-cell"
# Prices that it would fetch from the network; a list that is there and not empty is believed for a day.
_PRICES = {".aider/caches/model_prices_and_context_window.json": b'{"none": {}}'}
# Without a repository it would make one, and a .gitignore, among the task's files.
_START = '[ -e .git ] || set -- --no-git "$@"; exec "$0" "$@"'


class AiderAgent:
    """`aider --message`. It has no tools: it edits by what the model writes."""

    name = "aider"
    verified_version = "0.86.2"
    capabilities = AgentCapabilities(apis=("openai.chat",), transcript=True, refusal_signals=("content_filter",))

    def launch(self, context: LaunchContext) -> Launch:
        """Its history goes into the home, not beside the task's files."""
        history = f"{context.paths.home}/{_FOLDER}"
        env = {
            "OPENAI_API_BASE": f"{context.base_url}/v1",
            "OPENAI_API_KEY": context.token,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the network for prices
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        argv = (
            "sh",
            "-c",
            _START,
            "aider",
            "--model",
            f"openai/{context.model}",
            "--yes-always",
            "--no-auto-commits",
            "--no-gitignore",
            "--no-check-update",
            "--no-analytics",
            "--no-show-model-warnings",
            "--no-show-release-notes",
            "--no-suggest-shell-commands",
            "--no-fancy-input",
            f"--chat-history-file={history}/chat.md",
            f"--llm-history-file={history}/llm.log",
            f"--input-history-file={history}/input",
            *context.argv,
            f"--message={context.prompt}",
        )
        return Launch(argv=argv, env=env, files={f"{_FOLDER}/chat.md": b"", **_PRICES})

    def executables(self) -> tuple[str, ...]:
        """A Python program with its own environment."""
        return ("aider",)

    def version_argv(self) -> tuple[str, ...]:
        """Prints `aider 0.86.2`."""
        return ("aider", "--version", "--no-check-update", "--no-analytics")

    def transcript_globs(self) -> tuple[str, ...]:
        """The chat, and what was asked and answered in full."""
        return (f"{_FOLDER}/*",)

    def read_transcript(self, folder: Path) -> Transcript:
        """Its history has edits in place of tool calls, no times, and tokens by guess only."""
        from cabtrace.agents.transcripts import aider

        return aider.read(folder)
