"""The task's own solution: what a task scores when it is done right."""

from __future__ import annotations

from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext

# Solutions are bash scripts by custom; where there is no bash they must do with sh.
_RUN = 'if command -v bash >/dev/null 2>&1; then exec bash "$0"; else exec sh "$0"; fi'


class OracleAgent:
    """Runs `solve.sh` of the task's solution in the working directory."""

    name = "oracle"
    capabilities = AgentCapabilities(apis=(), uses_model=False)

    def launch(self, context: LaunchContext) -> Launch:
        """The solution, run by the best shell there is."""
        return Launch(argv=("sh", "-c", _RUN, f"{context.paths.solution}/solve.sh"))

    def executables(self) -> tuple[str, ...]:
        """The shell."""
        return ("sh",)
