"""`why` on cells of the agents' real CLIs with a fault in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.diagnose.why import diagnose
from tests.support.cells import Step, fault, says, script
from tests.support.matrix import AGENTS, need, run

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("matrix")]

# cause -> (the model's turns, time limit in seconds)
FAULTS: dict[str, tuple[tuple[Step, ...], float]] = {
    "tests_failed": (("echo Hello > hello.txt", says("Done.")), 120),
    "ignored_tool_error": (("cp no-such-folder/hello.txt hello.txt", says("Done.")), 120),
    "loop": ((*["ls"] * 12, says("I cannot do it.")), 120),
    "model_hung": (("ls", fault(hang_s=300)), 20),
    "key_refused": ((fault(status=401),), 20),
}


@pytest.mark.parametrize("cause", FAULTS)
@pytest.mark.parametrize("agent", [name for name in AGENTS if name != "aider"])  # which has no tools that a model could call
def test_the_fault_is_named_whatever_the_agent(agent: str, cause: str, tmp_path: Path) -> None:
    need(agent)
    steps, limit_s = FAULTS[cause]
    cell = run(agent, tmp_path, scripts=(script(*steps, name="*"),), timeout_s=limit_s, grace_s=1.0)

    assert diagnose(cell.run).cause.rule == cause, diagnose(cell.run).cause.sentence
