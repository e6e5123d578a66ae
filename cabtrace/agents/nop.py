"""An agent that does nothing: what a task scores when nothing is done."""

from __future__ import annotations

from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext


class NopAgent:
    """Ends at once, with success."""

    name = "nop"
    capabilities = AgentCapabilities(apis=(), uses_model=False)

    def launch(self, context: LaunchContext) -> Launch:
        """Nothing but a prompt line, so that the recording shows that it ran."""
        return Launch(argv=("sh", "-c", "echo 'nop: nothing to do'"))

    def executables(self) -> tuple[str, ...]:
        """The shell."""
        return ("sh",)
