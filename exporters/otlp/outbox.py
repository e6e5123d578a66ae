"""The outbox: exports that are not finished. A job names a run, a target and what is settled; spans stay where they are.

So nothing is kept twice, a job is small even when the disk is nearly full, and no header value ever reaches it. A job's file is
written before the first span is sent and goes when the last is settled: whatever kills the export in between, it can go on.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from cabtrace.store.appendlog import AppendLog
from cabtrace.store.files import DIRECTORY_MODE, FILE_MODE, Files
from cabtrace.store.lines import LineFile

FORMAT: Final = "cabtrace.export"
VERSION: Final = 1
FOLDER: Final = ".outbox"


@dataclass(frozen=True, slots=True)
class Job:
    """An export as it was asked for. `trace_bytes` tells whether the run is still the same; header values are not kept."""

    run: str
    run_id: str
    cell_id: str
    trace_id: str
    spans: int
    trace_bytes: int
    protocol: str
    endpoint: str
    secure: bool = False
    compression: str = "none"
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""
    header_names: tuple[str, ...] = ()
    preset: str = ""
    content: bool = False
    timeshift_ns: int = 0
    value_bytes: int | None = None
    fold: bool = False
    created_at: str = ""


@dataclass(slots=True)
class Pending:
    """A job of the outbox: what is settled of it, and why it stopped."""

    path: Path
    job: Job
    settled: set[int] = field(default_factory=set)
    rejected: int = 0
    reason: str = ""
    busy: bool = False

    @property
    def waiting(self) -> int:
        """Spans still to be sent."""
        return max(self.job.spans - len(self.settled), 0)


class BusyError(Exception):
    """Another process is at this job, or has just finished it."""


class JobFile:
    """A job being worked on; locked for as long as its process lives."""

    def __init__(self, path: Path, files: Files | None = None, *, new: bool = False) -> None:
        """Opens, or creates where it is `new`. Raises BusyError where another process is at it, else OSError."""
        self.path = path
        self.problem = ""
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if new else 0)
        try:
            self._lock = os.open(path, flags, FILE_MODE)
        except FileNotFoundError as error:
            raise BusyError from error  # another process finished it
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(self._lock).st_nlink:
                raise BlockingIOError
            self._log = AppendLog(path, files or Files())
        except OSError as error:
            os.close(self._lock)
            if isinstance(error, BlockingIOError):
                raise BusyError from error
            raise

    def settle(self, ordinals: Sequence[int], rejected: int) -> None:
        """Notes settled spans; where that fails the export goes on, and what failed is remembered."""
        self._append({"settled": list(ranges(ordinals)), "rejected": rejected})

    def stop(self, reason: str) -> None:
        """Notes why the job waits."""
        self._append({"stopped": reason, "at": round(time.time(), 3)})

    def finish(self) -> None:
        """Everything is settled: the job goes."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of the file; a job that is not finished stays in the outbox."""
        self._log.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def begin(self, job: Job) -> None:
        """The first record. Raises OSError."""
        record = {"format": FORMAT, "version": VERSION, **asdict(job)}
        self._log.append(orjson.dumps(record) + b"\n", durable=True)

    def _append(self, record: dict[str, Any]) -> None:
        try:
            self._log.append(orjson.dumps(record) + b"\n")
        except OSError as error:
            self.problem = self.problem or str(error.strerror or error)


def create(store: Path, job: Job, files: Files | None = None) -> JobFile:
    """Puts a job into a store's outbox. Raises OSError; then nothing of it is left."""
    folder = store / FOLDER
    folder.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.jsonl"
    try:
        handle = JobFile(path, files, new=True)
        try:
            handle.begin(job)
        except OSError:
            handle.close()
            raise
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return handle


def pending(store: Path) -> list[Pending]:
    """All jobs, oldest first; files that are none are left alone."""
    folder = store / FOLDER
    found = (read(path) for path in sorted(folder.glob("*.jsonl"))) if folder.is_dir() else ()
    return [p for p in found if p is not None]


def read(path: Path) -> Pending | None:
    """A job with what is settled of it; None where the file holds no job that this version knows."""
    result: Pending | None = None
    try:
        for record in _records(path):
            if result is None:
                job = _job(record)
                if job is None:
                    return None
                result = Pending(path, job)
                continue
            for first, last in record.get("settled") or ():
                result.settled.update(range(int(first), min(int(last), result.job.spans - 1) + 1))
            result.rejected += int(record.get("rejected") or 0)
            result.reason = str(record.get("stopped") or result.reason)
    except (OSError, ValueError, TypeError, AttributeError):
        return result
    if result is not None:
        result.busy = _is_locked(path)
    return result


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for line in LineFile(path).new_lines():
        yield orjson.loads(line.data)


def _job(record: Any) -> Job | None:
    if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("version") != VERSION:
        return None
    known = {name: record[name] for name in Job.__slots__ if name in record}
    known["header_names"] = tuple(known.get("header_names") or ())
    try:
        job = Job(**known)
    except TypeError:
        return None
    return job if isinstance(job.spans, int) and isinstance(job.run, str) else None


def _is_locked(path: Path) -> bool:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def ranges(ordinals: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, last) pairs."""
    first = last = -2
    for number in ordinals:
        if number != last + 1:
            if first >= 0:
                yield first, last
            first = number
        last = number
    if first >= 0:
        yield first, last
