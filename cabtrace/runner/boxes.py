"""Chooses and makes the sandbox of a cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.errors import SandboxError, UsageError

if TYPE_CHECKING:
    from cabtrace.protocols import Sandbox
    from cabtrace.runner.spec import CellSpec


def make_sandbox(spec: CellSpec, run_id: str, folder: Path) -> Sandbox:
    """The sandbox that the spec names. Raises UsageError or SandboxError."""
    if spec.sandbox == "local":
        from cabtrace.runner.sandbox.local import IN_CONTAINER, LocalSandbox

        if spec.contained:
            return LocalSandbox(folder, env_marker=run_id, limits=spec.limits, left_open=IN_CONTAINER, image=spec.image)
        return LocalSandbox(folder, env_marker=run_id, limits=spec.limits)
    if spec.sandbox == "docker":
        return _docker(spec, run_id)
    raise UsageError(f"There is no sandbox called {spec.sandbox!r}.", hint="Use docker or local.")


def _docker(spec: CellSpec, run_id: str) -> Sandbox:
    from cabtrace.runner.sandbox.docker import DockerSandbox, build_image

    wanted, task = spec.task.environment, spec.task
    image = spec.image or wanted.docker_image or ""
    if not image and wanted.dockerfile is not None:
        image = f"cabtrace-task/{task.digest[:24]}"
        build_image(wanted.dockerfile.parent, image, task=task.id)
    if not image:
        raise SandboxError(
            f"The task {task.id} names no image and has no Dockerfile.",
            hint="Give one with --image, or run it with --sandbox local.",
        )
    return DockerSandbox(
        run_id,
        image,
        user=wanted.user,
        workdir=wanted.workdir,
        cpus=wanted.cpus,
        memory_mb=wanted.memory_mb,
        foreign_task=task.foreign,
        mounts=wanted.mounts,
        task=task.id,
        limits=spec.limits,
    )
