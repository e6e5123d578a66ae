"""The outbox: what is settled is remembered, one process at a time, however its file ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.otlp.outbox import BusyError, Job, JobFile, create, pending, ranges, read
from exporters.otlp.resume import target_of
from exporters.otlp.retry import Patience, Waiting

JOB = Job(run="/runs/x", run_id="r", cell_id="a/b/c/d", trace_id="t", spans=100, trace_bytes=7, protocol="grpc", endpoint="h:1")


def test_what_is_settled_is_read_back(tmp_path: Path) -> None:
    handle = create(tmp_path, JOB)
    handle.settle([0, 1, 2, 7], 1)
    handle.settle(range(10, 20), 0)
    handle.stop("no answer")
    handle.close()

    (found,) = pending(tmp_path)
    assert found.job == JOB
    assert found.settled == {0, 1, 2, 7, *range(10, 20)}
    assert (found.waiting, found.rejected, found.reason, found.busy) == (86, 1, "no answer", False)


def test_only_one_process_at_a_time(tmp_path: Path) -> None:
    handle = create(tmp_path, JOB)
    (found,) = pending(tmp_path)
    assert found.busy
    with pytest.raises(BusyError):
        JobFile(handle.path)
    handle.finish()
    handle.close()
    with pytest.raises(BusyError):
        JobFile(handle.path)
    assert not handle.path.exists()


@pytest.mark.parametrize(
    "tail", [b'{"settled": [[50', b"garbage\n", b'{"settled": "x"}\n', b"[]\n", b'{"settled": [[5, 10000000000]]}\n']
)
def test_a_damaged_tail_costs_no_more_than_itself(tmp_path: Path, tail: bytes) -> None:
    handle = create(tmp_path, JOB)
    handle.settle([3], 0)
    handle.close()
    with handle.path.open("ab") as file:
        file.write(tail)

    found = read(handle.path)

    assert found is not None
    assert 3 in found.settled
    assert found.waiting >= 0


@pytest.mark.parametrize("content", [b"", b"{}\n", b"not json\n", b'{"format": "cabtrace.export", "version": 99}\n', b'{"format": "cabtrace.export", "version": 1}\n'])  # fmt: skip
def test_files_that_hold_no_job_are_left_alone(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / ".outbox"
    folder.mkdir()
    (folder / "x.jsonl").write_bytes(content)

    assert pending(tmp_path) == []
    assert (folder / "x.jsonl").read_bytes() == content


@given(st.sets(st.integers(0, 60)))
def test_ranges_cover_exactly_what_is_there(numbers: set[int]) -> None:
    found = [n for first, last in ranges(sorted(numbers)) for n in range(first, last + 1)]

    assert found == sorted(numbers)


def test_a_resumed_target_is_the_one_that_it_was() -> None:
    job = replace(
        JOB, protocol="http/json", endpoint="https://h/base/v1/traces", secure=True, compression="gzip", header_names=("k",)
    )

    target = target_of(job, {"OTEL_EXPORTER_OTLP_HEADERS": "k=v", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other"})

    assert (target.endpoint, target.protocol, target.compression, target.headers) == (
        job.endpoint,
        "http/json",
        "gzip",
        {"k": "v"},
    )


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=40), st.integers(0, 2**32))
def test_waiting_never_outlasts_patience(asked: list[float | None], seed: int) -> None:
    import random

    now, slept = [0.0], [0.0]
    chance = random.Random(seed)

    def sleep(seconds: float) -> None:
        now[0] += seconds
        slept[0] = seconds

    waiting = Waiting(Patience(60), clock=lambda: now[0], sleep=sleep, uniform=chance.uniform)
    for delay in asked:
        before = now[0]
        if not waiting.wait(delay):
            assert now[0] == before
            break
        assert slept[0] >= (delay or 0)
    assert now[0] <= 60
