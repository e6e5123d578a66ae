"""`cabtrace recover` of recorders that died in the middle of closing their run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.store import layout
from cabtrace.store.lock import RunLock
from cabtrace.store.recover import recover
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import CommandLine, digests
from tests.support.sample_run import build_sample_run


def die_in_close(run: Path, *, sealed: bool) -> None:
    """What is left when the last run.json was written and the lock was not let go of."""
    (run / layout.LOCK).touch(0o600)
    if not sealed:
        (run / layout.MANIFEST).unlink()
        (run / f".{layout.MANIFEST}.4242.tmp").write_bytes(b'{"form')


@pytest.mark.parametrize("sealed", [True, False])
def test_a_run_whose_seal_is_missing_gets_it(sealed: bool, tmp_path: Path) -> None:
    run = build_sample_run(tmp_path)
    before = digests(run)
    die_in_close(run, sealed=sealed)

    result = recover(run)

    assert not result.already_closed
    assert digests(run) == before
    assert verify_run(run).problems == ()
    assert recover(run).already_closed


def test_a_manifest_that_someone_removed_is_not_made_again(tmp_path: Path) -> None:
    """Sealing it anew would turn whatever was changed since into the truth."""
    run = build_sample_run(tmp_path)
    (run / layout.MANIFEST).unlink()
    before = digests(run)

    assert recover(run).already_closed
    assert digests(run) == before
    assert verify_run(run).problems != ()


def test_a_recorder_that_is_closing_right_now_is_waited_for(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    run = build_sample_run(cabtrace.store)
    lock = RunLock(run)

    done = cabtrace.run("recover", str(run))
    lock.release()

    assert (done.code, "being recorded" in done.err) == (3, True)
    assert cabtrace.run("recover", str(run)).code == 0
