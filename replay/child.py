"""A cabtrace command that runs beside the app: a cell that is run again, or the one that is watched.

It has a session and files of its own, so that it neither writes into the app's terminal nor ends with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

_TAIL_BYTES: Final = 256 * 1024
REPORT_OPTION: Final = "--report"


@dataclass(frozen=True, slots=True)
class Report:
    """What the command said so far. `phases`: (seconds since its start, name, detail); `run`: where it records, once known."""

    phases: tuple[tuple[float, str, str], ...] = ()
    run: Path | None = None
    stats: Mapping[str, int] = field(default_factory=dict)


class Child:
    """One command. Raises OSError where it cannot be started."""

    def __init__(self, argv: Sequence[str], rest: Sequence[str] = (), *, env: Mapping[str, str] | None = None) -> None:
        """The command takes `--report FILE` between `argv` and `rest`, and appends to that file, a JSON object a line."""
        self.folder = Path(tempfile.mkdtemp(prefix="cabtrace-"))
        self._report = self.folder / "report.jsonl"
        self.stopping = False
        try:
            with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
                self._process = subprocess.Popen(
                    [*argv, REPORT_OPTION, str(self._report), *rest],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
        except BaseException:
            self.forget()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit code; None when it takes longer."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def report(self) -> Report:
        """What it said so far; a line that is not complete is left out."""
        phases: list[tuple[float, str, str]] = []
        run: Path | None = None
        stats: Mapping[str, int] = {}
        for raw in self._tail("report.jsonl").split(b"\n")[:-1]:
            with suppress(orjson.JSONDecodeError, TypeError, ValueError, KeyError):
                said = orjson.loads(raw)
                if "stats" in said:
                    stats = {str(name): int(number) for name, number in said["stats"].items()}
                else:
                    phases.append((float(said["at_s"]), str(said["phase"]), str(said.get("detail", ""))))
                    run = Path(said["run"]) if said.get("run") else run
        return Report(tuple(phases), run, stats)

    def result(self) -> Mapping[str, Any]:
        """The JSON that it printed; {} where it printed none."""
        with suppress(orjson.JSONDecodeError):
            value = orjson.loads(self._tail("stdout"))
            return value if isinstance(value, dict) else {}
        return {}

    def output(self) -> str:
        """What it printed."""
        return self._tail("stdout").decode("utf-8", "replace")

    def complaint(self) -> str:
        """The last line that it wrote to stderr."""
        rows = [row.strip() for row in self._tail("stderr").decode("utf-8", "replace").splitlines()]
        return next((row for row in reversed(rows) if row), "")

    def stop(self) -> None:
        """Asks it to finish its records and end; safe to call at any time. Asked twice, it ends at once."""
        self.stopping = True
        with suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.kill(self._process.pid, signal.SIGTERM)

    def forget(self) -> None:
        """Takes its files away; nothing of them is needed once it has ended and been told about."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tail(self, name: str) -> bytes:
        try:
            with (self.folder / name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - _TAIL_BYTES, 0))
                return file.read(_TAIL_BYTES)
        except OSError:
            return b""
