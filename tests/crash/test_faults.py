"""ENOSPC, EIO and short writes at every Nth call: nothing reaches the recorded program, and the run says what it misses."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanState
from cabtrace.store.cast import CastHeader
from cabtrace.store.files import Files
from cabtrace.store.reader import RunView
from tests.support.recording import new_recorder

SPANS = 40


class FaultyFiles(Files):
    """Fails calls `first` to `last` of one kind, counted from the moment it is armed."""

    def __init__(self, call: str, error: int, first: int, last: int) -> None:
        self.call, self.error, self.first, self.last = call, error, first, last
        self.armed = False
        self.seen = 0
        self.failed = 0

    def due(self, call: str) -> bool:
        if not self.armed or call != self.call:
            return False
        self.seen += 1
        hit = self.first <= self.seen <= self.last
        self.failed += hit
        return hit

    def fail(self) -> OSError:
        return OSError(self.error, os.strerror(self.error))

    def write(self, fd: int, data: bytes) -> int:
        if self.due("write"):
            raise self.fail()
        # only an append is lost by a short write; a whole file that is being replaced goes on where it stopped
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND and self.due("short"):
            return super().write(fd, data[: len(data) // 2])
        return super().write(fd, data)

    def fdatasync(self, fd: int) -> None:
        if self.due("fdatasync"):
            raise self.fail()
        super().fdatasync(fd)

    def replace(self, source: Path, target: Path) -> None:
        if self.due("replace"):
            raise self.fail()
        super().replace(source, target)


def record(store: Path, files: FaultyFiles) -> tuple[Path, int]:
    recorder = new_recorder(store, files=files)
    writer = recorder.writer
    files.armed = True
    writer.start_terminal(CastHeader(80, 24), recorder.clock.now_ns())
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    result = 0
    for number in range(SPANS):
        with recorder.span(f"span {number}", sc.SpanKind.TOOL_CALL, parent=root):
            result += number  # the program under record: it must never see the store's trouble
            writer.terminal(recorder.clock.now_ns(), "o", f"{number}\n")
    recorder.end(root)
    recorder.close()
    writer.close(status="finished")
    return writer.path, result


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", ["write", "short", "fdatasync", "replace"])
def test_every_nth_failure_is_counted_and_nothing_else_changes(tmp_path: Path, call: str, error: int) -> None:
    clean = FaultyFiles(call, error, 0, -1)
    record(tmp_path / "clean", clean)
    for nth in range(1, clean.seen + 1):
        files = FaultyFiles(call, error, nth, nth)

        path, result = record(tmp_path / str(nth), files)

        assert result == sum(range(SPANS))
        run = RunView(path)
        assert run.header.status == "finished"
        lost = run.header.completeness.lost
        if files.failed and not is_manifest_only(path, lost.total):
            assert lost.total >= 1
            assert os.strerror(error) in lost.first_error or "short write" in lost.first_error
        names = {s.name for s in run.spans()}
        assert len(names) >= SPANS + 1 - lost.total
        assert not [w for w in run.warnings() if "unreadable" in w]


def is_manifest_only(path: Path, lost: int) -> bool:
    """A fault in the very last writes is after run.json was closed; then the manifest is what is missing, and `verify` says so."""
    return lost == 0 and not (path / "manifest.json").exists()


@pytest.mark.parametrize("nth", [1, 7, 50, 120])
def test_a_disk_that_stays_full_loses_records_and_nothing_else(tmp_path: Path, nth: int) -> None:
    files = FaultyFiles("write", errno.ENOSPC, nth, 10**9)

    path, result = record(tmp_path, files)

    assert result == sum(range(SPANS))
    run = RunView(path)
    assert all(s.state in (SpanState.ENDED, SpanState.ABORTED) for s in run.spans())


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.support.recording import new_recorder
from cabtrace.model import semconv as sc
recorder = new_recorder(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
for number in range(400):
    with recorder.span(f"span {number}", sc.SpanKind.TOOL_CALL, parent=None):
        pass
recorder.close()
recorder.writer.close(status="finished")
print("agent result 42")
"""


def test_a_real_file_size_limit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "agent result 42\n", "")
    (path,) = tmp_path.rglob("run.json")
    run = RunView(path.parent)
    assert run.header.status == "finished"
    lost = run.header.completeness.lost
    assert lost.total > 0
    assert len(run.spans()) + max(lost.trace, lost.open) >= 400
    assert any("could not be written" in w for w in run.warnings())
