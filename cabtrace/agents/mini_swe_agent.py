"""mini-swe-agent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript

_TRAJECTORY = ".mini-swe-agent/trajectory.json"


class MiniSweAgent:
    """`mini-swe-agent --yolo`, which prints each step."""

    name = "mini-swe-agent"
    verified_version = "2.4.6"
    capabilities = AgentCapabilities(apis=("openai.chat",), transcript=True, refusal_signals=("content_filter",))

    def launch(self, context: LaunchContext) -> Launch:
        """Any `-c` drops its default configuration, hence `-c mini` first."""
        home = context.paths.home
        env = {
            "OPENAI_API_KEY": context.token,
            "MSWEA_CONFIGURED": "true",
            "MSWEA_COST_TRACKING": "ignore_errors",  # a price that is not known must not end the run
            "MSWEA_GLOBAL_CONFIG_DIR": f"{home}/.mini-swe-agent",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        argv = (
            "mini-swe-agent",
            "--yolo",
            "--exit-immediately",
            f"--model=openai/{context.model}",
            f"--output={home}/{_TRAJECTORY}",
            "-c",
            "mini",
            "-c",
            f"model.model_kwargs.api_base={context.base_url}/v1",
            "-c",
            "model.model_class=litellm",
            *context.argv,
            f"--task={context.prompt}",
        )
        return Launch(argv=argv, env=env)

    def executables(self) -> tuple[str, ...]:
        """A Python program with its own environment."""
        return ("mini-swe-agent",)

    def version_argv(self) -> tuple[str, ...]:
        """It has no option for it; every start prints it first."""
        return ("mini-swe-agent", "--help")

    def transcript_globs(self) -> tuple[str, ...]:
        """One file, rewritten at each step."""
        return (_TRAJECTORY,)

    def read_transcript(self, folder: Path) -> Transcript:
        """Its trajectory."""
        from cabtrace.agents.transcripts import mini_swe_agent

        return mini_swe_agent.read(folder)
