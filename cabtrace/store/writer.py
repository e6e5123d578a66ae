"""Writes one run. After `create` nothing here raises: a record that cannot be written is counted, and the run says so."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from cabtrace.errors import StoreError
from cabtrace.model.ids import CellId
from cabtrace.model.run import Losses, RunHeader
from cabtrace.store import layout
from cabtrace.store.appendlog import AppendLog
from cabtrace.store.cast import CastHeader, encode_event, encode_header
from cabtrace.store.files import DIRECTORY_MODE, Files, replace_file, write_all
from cabtrace.store.lock import RunLock
from cabtrace.store.manifest import build_manifest

_RESERVE_BYTES = 256 * 1024
_LOGS = {
    "trace": layout.TRACE,
    "open": layout.OPEN,
    "logs": layout.LOGS,
    "terminal": layout.TERMINAL,
    "calls": layout.CALLS,
}


def allocate_attempt(store: Path, cell: CellId) -> tuple[Path, int]:
    """Makes the directory of the next attempt of a cell; an attempt is never reused. Raises StoreError."""
    parent = store.joinpath(*cell.path_parts())
    try:
        parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        taken = [int(p.name) for p in parent.iterdir() if p.name.isdigit()]
        attempt = max(taken, default=0) + 1
        while True:
            try:
                (parent / str(attempt)).mkdir(mode=DIRECTORY_MODE)
            except FileExistsError:
                attempt += 1
            else:
                return parent / str(attempt), attempt
    except OSError as error:
        raise StoreError(
            f"The store {store} cannot be written ({error.strerror}).",
            hint="Choose another with --store or CABTRACE_STORE.",
        ) from error


def discard_attempt(store: Path, path: Path) -> None:
    """Takes back what `allocate_attempt` made, with the folders above it that hold nothing else; the store itself stays."""
    shutil.rmtree(path, ignore_errors=True)
    for folder in path.relative_to(store).parents:
        with contextlib.suppress(OSError):
            if folder.name:
                (store / folder).rmdir()


class RunWriter:
    """The one writer of a run directory; safe to use from several threads."""

    def __init__(self, path: Path, header: RunHeader, *, files: Files | None = None) -> None:
        """Takes an allocated directory into use and writes its first run.json. Raises StoreError."""
        self.path = path
        self._files = files or Files()
        self._header = header
        self._logs: dict[str, AppendLog] = {}
        self._lost: dict[str, int] = {}
        self._first_error = ""
        self._mutex = threading.Lock()
        self._cast_start_ns: int | None = None
        try:
            self._lock = RunLock(path)
            self._reserve()
            replace_file(self._files, path / layout.RUN, _run_json(header))
        except OSError as error:
            raise StoreError(f"The run {path} cannot be written ({error.strerror}).") from error

    @property
    def header(self) -> RunHeader:
        """run.json as it was last set, with today's losses."""
        with self._mutex:
            completeness = replace(self._header.completeness, lost=self._losses())
            return replace(self._header, completeness=completeness)

    def append(self, log: str, record: bytes, *, durable: bool = False, lines: int = 1) -> bool:
        """Appends one line, or `lines` of them as one, to `trace`, `open`, `logs`, `terminal` or `calls`; False: lost."""
        return self._guard(log, lambda: self._log(log).append(record, durable=durable), lines)

    def sync(self) -> bool:
        """Everything on the medium; False when some of it could not be."""
        with self._mutex:
            logs = list(self._logs.items())
        results = [self._guard(name, log.sync) for name, log in logs]  # every one, also after a failure
        return all(results)

    def rewrite_trace(self, change: Callable[[Path], Iterable[bytes] | None]) -> bool:
        """Replaces trace.jsonl by what `change` makes of it (None: leave it), see `AppendLog.rewrite`; False when it was left.

        Raises OSError; then the trace is as it was, and nothing is lost.
        """
        return self._log("trace").rewrite(change)

    def start_terminal(self, header: CastHeader, start_ns: int) -> None:
        """Writes the asciicast header; event times count from `start_ns`."""
        self._cast_start_ns = start_ns
        self.append("terminal", encode_header(header))

    def terminal(self, time_ns: int, code: str, data: str) -> bool:
        """Appends one asciicast event."""
        start_ns = self._cast_start_ns if self._cast_start_ns is not None else time_ns
        return self.append("terminal", encode_event(time_ns - start_ns, code, data))

    def write_file(self, name: str, data: bytes) -> bool:
        """Writes a whole file of the run (`workspace.patch`, `artifacts/...`), atomically."""
        target = self.path / name

        def write() -> None:
            target.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            replace_file(self._files, target, data)

        return self._guard("other", write)

    def update(self, **changes: Any) -> bool:
        """Changes fields of run.json and replaces it atomically."""
        with self._mutex:
            self._header = replace(self._header, **changes)
        return self._write_header()

    def close(self, **changes: Any) -> bool:
        """Last fields, last run.json, the manifest; then the lock is let go. Safe to call twice."""
        with self._mutex:
            logs, self._logs = list(self._logs.items()), {}
            self._header = replace(self._header, **changes)
        for name, log in logs:
            self._guard(name, log.sync)
            with contextlib.suppress(OSError):
                log.close()
        with contextlib.suppress(OSError):
            (self.path / layout.RESERVE).unlink(missing_ok=True)
        written = self._write_header()
        if not self._guard("other", self._write_manifest):
            written = self._write_header()
        self._lock.release()
        return written

    def _write_header(self, attempts: int = 3) -> bool:
        for _ in range(attempts):
            if self._guard(
                "other",
                lambda: replace_file(self._files, self.path / layout.RUN, _run_json(self.header)),
            ):
                return True
        return False

    def _write_manifest(self) -> None:
        replace_file(
            self._files,
            self.path / layout.MANIFEST,
            orjson.dumps(build_manifest(self.path)),
        )

    def _log(self, name: str) -> AppendLog:
        with self._mutex:
            log = self._logs.get(name)
            if log is None:
                log = self._logs[name] = AppendLog(self.path / _LOGS[name], self._files)
            return log

    def _guard(self, stream: str, action: Callable[[], None], records: int = 1) -> bool:
        try:
            action()
        except (OSError, ValueError, TypeError) as error:
            with self._mutex:
                self._lost[stream] = self._lost.get(stream, 0) + records
                self._first_error = self._first_error or f"{stream}: {getattr(error, 'strerror', None) or error}"
            return False
        return True

    def count_loss(self, stream: str, error: str) -> None:
        """Counts a record that never got as far as a write."""
        with self._mutex:
            self._lost[stream] = self._lost.get(stream, 0) + 1
            self._first_error = self._first_error or f"{stream}: {error}"

    def _losses(self) -> Losses:
        return Losses(**self._lost, first_error=self._first_error)

    def _reserve(self) -> None:
        fd = self._files.open(self.path / layout.RESERVE, os.O_WRONLY | os.O_CREAT)
        try:
            with contextlib.suppress(OSError):  # without a reserve a full disk costs the closing run.json, no more
                write_all(self._files, fd, bytes(_RESERVE_BYTES))
        finally:
            os.close(fd)


def _run_json(header: RunHeader) -> bytes:
    return orjson.dumps(header, option=orjson.OPT_INDENT_2) + b"\n"
