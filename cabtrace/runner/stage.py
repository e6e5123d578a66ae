"""Puts a cell's files into its sandbox and makes its way to the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.errors import UsageError
from cabtrace.protocols import LaunchContext
from cabtrace.runner.workspace import prepare

if TYPE_CHECKING:
    from cabtrace.protocols import Launch, Sandbox, SandboxPaths
    from cabtrace.runner.spec import CellSpec


def stage_workspace(spec: CellSpec, sandbox: Sandbox, paths: SandboxPaths, scratch: Path) -> Path:
    """The working directory before the agent touches it, as a folder of this machine.

    The image's own, where the task builds one or brings one (its files are then in the image); else the task's files, which
    are copied into the sandbox.
    """
    staged = scratch / "staged"
    from_image = spec.sandbox == "docker" and (spec.task.environment.dockerfile or spec.task.foreign) and not spec.image
    if from_image:
        staged.mkdir(mode=0o700)
        sandbox.get(paths.workdir, staged)
        return staged
    prepare(spec.task, staged, limits=spec.limits)
    sandbox.put(staged, paths.workdir)
    return staged


def launch_context(spec: CellSpec, paths: SandboxPaths, base_url: str, token: str) -> LaunchContext:
    """What the agent is told, but for its telemetry; `base_url` is the proxy's."""
    return LaunchContext(
        prompt=spec.task.instruction,
        model=spec.model,
        base_url=base_url,
        token=token,
        paths=paths,
        timeout_s=spec.time_limit_s,
        sandbox=spec.sandbox,
        argv=spec.agent_argv,
    )


def stage_home(sandbox: Sandbox, launch: Launch, paths: SandboxPaths, scratch: Path) -> None:
    """The cell's own home, with the files that the agent's launch asks for. Raises UsageError for a path that leaves it."""
    home = scratch / "home"
    home.mkdir(mode=0o700)
    for name, content in launch.files.items():
        target = (home / name).resolve()
        if home.resolve() not in target.parents:
            raise UsageError(f"The agent wants to write {name!r}, which is outside of its home.")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o700 if content.startswith(b"#!") else 0o600)
    sandbox.put(home, paths.home)
