"""Writing an export: whole or not at all, never over a file without being told to, and with a sign of life."""

from __future__ import annotations

import errno
import os
import sys
import time
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from cabtrace.errors import StoreError, UsageError

if TYPE_CHECKING:
    from cabtrace.protocols import Exporter
    from cabtrace.store.reader import RunView

_SILENT_S = 0.5
_MIB = 1024 * 1024


class CountingStream(RawIOBase):
    """Passes bytes on; on a terminal stderr says how many, once it takes longer than a moment."""

    def __init__(self, inner: BinaryIO, label: str) -> None:
        super().__init__()
        self._inner = inner
        self._label = label
        self._said = time.monotonic()
        self._shown = False
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # we are only ever given bytes
        self._inner.write(data)
        self.size_bytes += len(data)
        now = time.monotonic()
        if now - self._said > _SILENT_S and sys.stderr.isatty():
            self._said, self._shown = now, True
            sys.stderr.write(f"\r{self._label}: {self.size_bytes / _MIB:,.1f} MiB ")
            sys.stderr.flush()
        return len(data)

    def clear(self) -> None:
        """Takes the sign of life away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")


def write_file(exporter: Exporter, run: RunView, output: str | None, *, force: bool) -> tuple[Path, int] | None:
    """Path and size of what was written; None when it went to standard output. Raises UsageError or StoreError."""
    if output == "-":
        stream = CountingStream(sys.stdout.buffer, exporter.name)
        exporter.export(run, cast("BinaryIO", stream))
        stream.clear()
        sys.stdout.buffer.flush()
        return None
    target = Path(output).expanduser() if output else Path(default_name(run, exporter.suffix))
    if target.is_dir():
        target /= default_name(run, exporter.suffix)
    if not force and target.exists():
        raise UsageError(f"{target} exists.", hint="Give --force to replace it, or -o another name.")
    try:
        return target, _write(exporter, run, target, force=force)
    except FileExistsError:
        raise UsageError(f"{target} exists.", hint="Give --force to replace it, or -o another name.") from None
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}.") from error


def default_name(run: RunView, suffix: str) -> str:
    """A file name that tells cell and attempt."""
    from cabtrace.model.ids import path_component

    parts = [path_component(p) for p in run.header.cell_id.split("/") if p]
    return f"{'-'.join(parts)[:180]}-{run.header.attempt}{suffix}"


def _write(exporter: Exporter, run: RunView, target: Path, *, force: bool) -> int:
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb", buffering=1024 * 1024) as handle:
            stream = CountingStream(handle, exporter.name)
            exporter.export(run, cast("BinaryIO", stream))
            stream.clear()
        _place(temporary, target, force=force)
        return stream.size_bytes
    finally:
        temporary.unlink(missing_ok=True)


def _place(temporary: Path, target: Path, *, force: bool) -> None:
    """Gives the file its name at once; without `force` raises FileExistsError where another was quicker."""
    if force:
        temporary.replace(target)
        return
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EMLINK) and not target.exists():  # no hard links there
            temporary.replace(target)
            return
        raise
