"""`why` on real runs with known faults in them, made by a script; and on runs that pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.diagnose.finding import Severity
from cabtrace.diagnose.why import diagnose
from cabtrace.model.outcome import Verdict
from cabtrace.store.reader import RunView
from tests.support.cells import Made, once_for_all_workers
from tests.support.faults import FAULTS, PASSING

pytestmark = [pytest.mark.xdist_group("why"), pytest.mark.slow]


@pytest.fixture(scope="session")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return once_for_all_workers(_shared(tmp_path_factory) / "faults", {name: make for name, (_, make) in FAULTS.items()})


@pytest.fixture(scope="session")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return once_for_all_workers(_shared(tmp_path_factory) / "passing", PASSING)


def _shared(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


def test_the_first_named_cause_is_the_fault_that_was_injected(failing: Made) -> None:
    wrong = []
    for name, path in failing.items():
        diagnosis = diagnose(RunView(path))
        if diagnosis.cause.rule != FAULTS[name][0]:
            header = RunView(path).header
            wrong.append(f"{name}: {diagnosis.cause.rule} instead of {FAULTS[name][0]} ({header.cause}, {header.cause_detail})")

    assert len(failing) >= 40
    assert len(wrong) <= len(failing) * 0.05, "\n".join(wrong)


def test_every_failing_run_has_an_error_and_a_moment_for_it(failing: Made) -> None:
    for name, path in failing.items():
        run = RunView(path)
        diagnosis = diagnose(run)
        assert run.header.verdict is not Verdict.PASSED, name
        assert diagnosis.cause.severity is not Severity.INFO, name
        offset_s = diagnosis.offset_s(diagnosis.cause)
        assert offset_s is not None, name
        assert 0 <= offset_s <= (run.end_ns - run.start_ns) / 1e9 + 0.001, name


def test_nothing_is_invented_where_the_cell_passed(passing: Made) -> None:
    assert len(passing) >= 20
    for name, path in passing.items():
        run = RunView(path)
        diagnosis = diagnose(run)
        assert run.header.verdict is Verdict.PASSED, (name, run.header.cause, run.header.cause_detail)
        assert diagnosis.cause.rule == "passed", name
        errors = [f for f in diagnosis.findings if f.severity is not Severity.INFO]
        allowed = {"agent_error"} if name == "ends with a code and passes" else set()
        assert {f.rule for f in errors} <= allowed, (name, errors)
