"""Real CLIs whose endpoint answers nothing of use: each cell ends, and its cause says what the endpoint said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.examples import example_task
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import CellSpec
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView
from tests.support.endpoints import ENDPOINTS, endpoint
from tests.support.matrix import AGENTS, need, roots_and_orphans

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("matrix")]
UNKNOWN = "404, the model is unknown"
# They try again for as long as it takes: the time limit ends most of these.
STUBBORN = [(agent, which) for agent in ("claude-code", "codex", "copilot") for which in ("429, for ever", "HTML")]


@pytest.mark.parametrize(("agent", "which"), [*((agent, UNKNOWN) for agent in AGENTS), *STUBBORN])
def test_the_cause_is_the_endpoints_and_says_what_it_said(agent: str, which: str, tmp_path: Path) -> None:
    need(agent)
    answer, sentence = ENDPOINTS[which]
    with endpoint(answer) as url:
        result = run_cell(
            CellSpec(
                task=load_task(example_task("smoke/hello-file")),
                agent=find_agent(agent),
                model="m",
                store=tmp_path / "store",
                scratch=tmp_path / "scratch",
                sandbox="local",
                endpoint=url,
                timeout_s=25.0,
                grace_s=2.0,
            )
        )

    run = RunView(result.path)
    assert (result.cause, result.verdict) == ("model_failed", "error"), result.detail
    assert sentence in result.detail
    calls = run.calls()
    assert result.detail.startswith(f"none of {len(calls)} model calls was answered: ")
    assert all(call.error for call in calls)
    assert any(call.http_status == answer.status for call in calls)
    roots, orphans = roots_and_orphans(run)
    assert (len(roots), orphans) == (1, [])
