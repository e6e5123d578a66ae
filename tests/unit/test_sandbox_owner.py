"""An owner is gone only when that is certain."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cabtrace.runner.sandbox.owner import Owner, current_owner, is_gone, parse_owner


def owner_of_a_dead_process() -> Owner:
    code = "from cabtrace.runner.sandbox.owner import current_owner; print(current_owner())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    owner = parse_owner(said)
    assert owner is not None
    return owner


def test_this_process_is_there_and_reads_back() -> None:
    owner = current_owner()

    assert owner.pid == os.getpid()
    assert parse_owner(str(owner)) == owner
    assert not is_gone(owner)


def test_an_ended_process_is_gone() -> None:
    assert is_gone(owner_of_a_dead_process())


def test_a_process_that_was_not_waited_for_is_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert is_gone(replace(current_owner(), pid=pid))
    finally:
        os.waitpid(pid, 0)


def test_a_reused_pid_is_someone_else() -> None:
    assert is_gone(replace(current_owner(), started="1"))


def test_an_earlier_boot_is_gone() -> None:
    assert is_gone(replace(current_owner(), boot="00000000-0000-0000-0000-000000000000"))


@pytest.mark.parametrize("change", [{"machine": "another"}, {"pid_namespace": "1"}])
def test_what_cannot_be_judged_from_here_is_not_gone(change: dict[str, str]) -> None:
    assert not is_gone(replace(owner_of_a_dead_process(), **change))


@pytest.mark.parametrize(
    "text",
    ["", "a/b/c/d", "a/b/c/x/e", "a/b/c/-1/e", "a//c/1/e", "a/b/c/1/e/f", "a/b/c/1/e\n", "a/b c/c/1/e", "a/b/c/99999999999/e"],
)
def test_other_text_is_no_owner(text: str) -> None:
    assert parse_owner(text) is None
