from __future__ import annotations

from pathlib import Path

from cabtrace.diagnose.nearest import nearest_passing
from cabtrace.diagnose.triage import cluster, failure_of
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, Clock, TaskInfo
from tests.support.plain_run import PlainRun, call, header


def failing(*tests: str, task: str = "unit/task") -> PlainRun:
    rows = [{"name": name, "passed": False} for name in tests]
    return PlainRun(header(task=TaskInfo(id=task)), tests={"passed": False, "exit_code": 1, "tests": rows})


def refused(status: str) -> PlainRun:
    return PlainRun(header(verdict=Verdict.ERROR, cause=Cause.MODEL_FAILED), [call(1, 0, 5, error=status)])


def test_cells_with_the_same_failing_tests_are_one_group_and_the_biggest_is_first() -> None:
    runs = [failing("a"), failing("b", "c"), failing("c", "b"), failing("b", "c", task="unit/other"), failing("c", "b")]

    groups = cluster(failure_of(run) for run in runs)

    assert [g.members for g in groups] == [(1, 2, 4), (0,), (3,)]
    assert groups[0].signature == "unit/task: b, c"


def test_failures_of_the_endpoint_are_one_group_whatever_the_task() -> None:
    groups = cluster(failure_of(run) for run in (refused("connect_error"), refused("connect_error"), refused("429")))

    assert [len(g.members) for g in groups] == [2, 1]
    assert groups[0].rule == "endpoint_gone"


def test_ids_and_numbers_do_not_part_a_group() -> None:
    def crashed(said: str) -> PlainRun:
        return PlainRun(header(cause=Cause.AGENT_ERROR, exit_code=2), terminal=said)

    groups = cluster(
        failure_of(run) for run in (crashed("lost 0x7f8c5f388720"), crashed("lost 0x7f8c5f111111"), crashed("found"))
    )

    assert [len(g.members) for g in groups] == [2, 1]


def test_the_nearest_passing_run_is_of_the_same_task_and_rather_of_the_same_agent() -> None:
    mine = header()
    passed = {"verdict": Verdict.PASSED, "cause": Cause.PASSED}
    runs = [
        (Path("other-task"), header(run_id="2" * 32, task=TaskInfo(id="unit/else"), **passed)),
        (Path("failed"), header(run_id="3" * 32)),
        (Path("other-agent"), header(run_id="4" * 32, agent=AgentInfo(name="oracle"), **passed)),
        (Path("far"), header(run_id="5" * 32, clock=Clock(wall_ns=5, monotonic_ns=0), **passed)),
        (Path("near"), header(run_id="6" * 32, **passed)),
    ]

    assert nearest_passing(mine, runs) == Path("near")
    assert nearest_passing(mine, runs[:3]) == Path("other-agent")
    assert nearest_passing(mine, runs[:2]) is None
