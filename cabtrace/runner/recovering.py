"""`cabtrace recover` of a cell whose runner was killed: what the agent wrote about itself is fetched from where it still is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cabtrace.errors import CabtraceError, SandboxError
from cabtrace.limits import DEFAULT
from cabtrace.model import semconv as sc
from cabtrace.redact import Redactor
from cabtrace.runner.harvest import harvest
from cabtrace.runner.secrets import sensitive_values, url_passwords
from cabtrace.runner.telemetry import merge_with
from cabtrace.store.files import DIRECTORY_MODE, Files, replace_file
from cabtrace.store.layout import ARTIFACTS
from cabtrace.store.recover import Found, Recovery, recover

if TYPE_CHECKING:
    from cabtrace.protocols import Agent, SandboxPaths
    from cabtrace.store.reader import RunView

_GONE: Final = "The agent's transcript could not be kept"
_SKIPPED_SHOWN: Final = 20


class _Left(Protocol):
    """A sandbox whose runner was killed."""

    @property
    def skipped(self) -> Sequence[tuple[str, str]]:
        """(path, reason) of what `get` left out."""

    def reopen(self) -> SandboxPaths:
        """Ends what still runs in it. Raises SandboxError where it is gone."""

    def get(self, source: str, target: Path) -> None:
        """Copies a folder out."""

    def release(self) -> None:
        """Lets go of it, without removing anything."""


def recover_run(path: Path, scratch_root: Path) -> Recovery:
    """Closes the run at `path` as `cabtrace.store.recover` does, with the transcript as a normal end would have it.

    Whatever of the run is still running is ended first. Its scratch folder or container stays; `cabtrace gc` removes it.

    Raises:
        StoreError: The run is still being recorded, or cannot be written.
    """
    return recover(path, lambda run: _found(run, scratch_root))


def _found(run: RunView, scratch_root: Path) -> Found:
    """The transcript of a run whose lock is held, and what there is to say of it; never raises."""
    try:
        agent = _agent(run)
        if agent is None:
            return Found()
        return _harvested(run, agent, scratch_root / run.header.run_id)
    except CabtraceError as error:
        return Found(warnings=(f"{_GONE}: {error}",))
    except Exception as error:  # noqa: BLE001 - a run is closed whatever became of its agent's home
        why = _redactor(scratch_root).text(f"{type(error).__name__}: {error}")
        return Found(warnings=(f"{_GONE} ({why}).",))


def _agent(run: RunView) -> Agent | None:
    """None for one that leaves no transcript, or that ran with the user's own settings: those were never the run's."""
    from cabtrace.agents.registry import find_agent

    info = run.header.agent
    if not info.env_keys:  # its launch was not yet made, or is not known: `cabtrace record` without --agent
        return None
    agent = find_agent(info.name)
    return agent if agent.capabilities.transcript else None


def _harvested(run: RunView, agent: Agent, scratch: Path) -> Found:
    redactor = _redactor(scratch)
    sandbox = _left(run, scratch)
    kept = _Artifacts(run.path)
    try:
        try:
            paths = _with_workdir(sandbox.reopen(), run)
        except SandboxError:
            if not (run.path / ARTIFACTS / agent.name).is_dir():
                raise
            return _kept_before(run, agent, redactor)
        with tempfile.TemporaryDirectory(prefix="cabtrace-recover-") as folder:
            transcript = harvest(agent, sandbox, paths, Path(folder), kept, redactor, DEFAULT)
        skipped = [f"{name} was not copied: {reason}" for name, reason in sandbox.skipped[:_SKIPPED_SHOWN]]
    finally:
        sandbox.release()
    return Found(
        merge=merge_with(transcript, redactor),
        warnings=(*transcript.problems, *map(redactor.text, skipped)),
        files=kept.count,
        tool_calls=len(transcript.tool_calls),
    )


def _kept_before(run: RunView, agent: Agent, redactor: Redactor) -> Found:
    """The runner got as far as to harvest, and was killed after it had removed the home."""
    read = getattr(agent, "read_transcript", None)
    return Found(merge=merge_with(read(run.path / ARTIFACTS / agent.name), redactor)) if read else Found()


def _left(run: RunView, scratch: Path) -> _Left:
    header = run.header
    if header.sandbox.kind == "docker":
        from cabtrace.runner.sandbox.docker import DockerSandbox

        return DockerSandbox(header.run_id, header.sandbox.image)
    from cabtrace.runner.sandbox.local import LocalSandbox

    return LocalSandbox(scratch / "box", env_marker=header.run_id)


def _with_workdir(paths: SandboxPaths, run: RunView) -> SandboxPaths:
    """Where the agent worked is on record, but for what the redactor made of folders of this machine."""
    told = next((path for span in run.spans() if (path := span.text(sc.WORKDIR))), "")
    known = str(Path(told).expanduser()) if told.startswith(("/", "~/")) else ""
    return replace(paths, workdir=known or paths.workdir)


def _redactor(scratch: Path) -> Redactor:
    """What the killed runner alone knew to be secret is not known here: the formats of keys and this machine's own are."""
    known = {**url_passwords(os.environ), **sensitive_values(os.environ)}
    return Redactor(known, paths={str(scratch): "<scratch>", str(Path.home()): "~"})


@dataclass(slots=True)
class _Artifacts:
    """Writes into a run that nobody records any more."""

    path: Path
    count: int = 0

    def write_file(self, name: str, data: bytes) -> bool:
        target = self.path / name
        target.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        replace_file(Files(), target, data)
        self.count += name.startswith(f"{ARTIFACTS}/")
        return True
