"""The bundled agent: a small honest tool loop that needs nothing but Python."""

from __future__ import annotations

import sys
from pathlib import Path

from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

PROGRAM = "reference_agent.py"
_MAX_TURNS = 40


class ReferenceAgent:
    """Puts its one-file program into the cell's home and runs it there."""

    name = "reference"
    capabilities = AgentCapabilities(apis=("openai.chat",))

    def launch(self, context: LaunchContext) -> Launch:
        """In a local sandbox the interpreter is the one that runs now, elsewhere the box's own `python3`."""
        python = sys.executable if context.sandbox == "local" and sys.executable else "python3"
        return Launch(
            argv=(
                python,
                f"{context.paths.home}/{PROGRAM}",
                "--model",
                context.model,
                "--base-url",
                f"{context.base_url}/v1",
                "--max-turns",
                str(_MAX_TURNS),
                "--",
                context.prompt,
            ),
            env={"OPENAI_API_KEY": context.token, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            files={PROGRAM: Path(__file__).with_name("reference_loop.py").read_bytes()},
        )

    def executables(self) -> tuple[str, ...]:
        """An interpreter and a shell."""
        return ("python3", "sh")
