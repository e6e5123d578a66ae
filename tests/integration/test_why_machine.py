"""`why` where the machine under the cell was at fault: images, memory and disks, broken for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cabtrace.diagnose.why import diagnose
from cabtrace.model.outcome import Verdict
from cabtrace.store.reader import RunView
from tests.support.cells import Cells
from tests.support.containers import require_engine
from tests.support.machine_faults import CONTAINED, DISKS, STORE_FULL, build_images, remove_images, small_disks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images() -> Iterator[None]:
    require_engine().close()
    build_images()
    yield
    remove_images()


@pytest.fixture(scope="module")
def disks() -> None:
    if not small_disks():
        pytest.skip("no file system can be mounted in a namespace here")


def check(path: Path, cause: str, words: tuple[str, ...]) -> None:
    run = RunView(path)
    found = diagnose(run).cause

    assert run.header.verdict is not Verdict.PASSED
    assert found.rule == cause, (found.sentence, run.header.cause_detail)
    assert all(word in found.sentence for word in words), found.sentence


@pytest.mark.docker
@pytest.mark.xdist_group("why-images")
@pytest.mark.parametrize("name", CONTAINED)
def test_what_broke_in_the_container_is_named(images: None, name: str, tmp_path: Path) -> None:
    cause, words, make = CONTAINED[name]

    check(make(Cells(tmp_path)), cause, words)


@pytest.mark.parametrize("name", DISKS)
def test_a_full_disk_is_named(disks: None, name: str, tmp_path: Path) -> None:
    cause, words, make = DISKS[name]

    check(make(Cells(tmp_path)), cause, words)


def test_a_full_store_costs_records_and_is_no_cause(disks: None, tmp_path: Path) -> None:
    run = RunView(STORE_FULL(Cells(tmp_path)))
    diagnosis = diagnose(run)

    assert run.header.verdict is Verdict.PASSED
    assert diagnosis.cause.rule == "passed"
    assert [f.rule for f in diagnosis.findings if "could not be written" in f.sentence] == ["record_incomplete"]
