"""Faults of the machine under a cell, injected for real: images that are broken, a memory limit, disks that are full."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cabtrace.agents.registry import find_agent
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.cell import run_cell
from tests.support.cells import DONE, LOOK, MEND, TEST, Cells, Step, add_task, says, script
from tests.support.containers import IMAGE

Make = Callable[[Cells], Path]

_SPACE = ["unshare", "--user", "--map-root-user", "--mount"]
# $1: size, $2: what is small, $3: where to copy it to at the end, or nothing; then the command
_SMALL_DISK = """mount -t tmpfs -o size=$1,mode=0700 tmpfs "$2" || exit 90; small=$2; copy=$3; shift 3; "$@"; code=$?
[ -z "$copy" ] || cp -a "$small/." "$copy"; exit $code"""
_NOT_A_PROGRAM = "printf 'not a program' > /x && chmod 755 /x && mv /x /bin/sh"
_ARM_ELF = (
    r"printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000\001' > /bin/agent && chmod 755 /bin/agent"
)
# name of an image -> the step that breaks it
IMAGES = {
    "shell": _NOT_A_PROGRAM,
    "loader": "rm -f /lib64/ld-linux-* /usr/lib64/ld-linux-* /lib/ld-linux-* /usr/lib/ld-linux-* /lib/*/ld-linux-* /usr/lib/*/ld-linux-*",
    "bash": "rm -f /bin/bash /usr/bin/bash",
    "other-machine": _ARM_ELF,
}


def tag(image: str) -> str:
    """The name of one of the broken images."""
    return f"cabtrace-test/broken-{image}"


def build_images() -> None:
    """All of `IMAGES`."""
    for name, step in IMAGES.items():
        recipe = f"FROM {IMAGE}\nUSER root\nRUN {step}\n"
        subprocess.run(["docker", "build", "-q", "-t", tag(name), "-"], input=recipe.encode(), capture_output=True, check=True)


def remove_images() -> None:
    """Them again."""
    subprocess.run(["docker", "rmi", "--force", *map(tag, IMAGES)], capture_output=True, check=False)


def small_disks() -> bool:
    """Whether a file system of this process's own can be mounted here."""
    return subprocess.run([*_SPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False).returncode == 0


def _contained(*argv: str, image: str = "", memory_mb: int = 0) -> Make:
    def make(cells: Cells) -> Path:
        task = add_task(cells.folder / "task")
        if memory_mb:
            with (task / "task.toml").open("a") as file:
                file.write(f"\n[environment]\nmemory_mb = {memory_mb}\n")
        where = {"sandbox": "docker", "image": tag(image) if image else IMAGE}
        return run_cell(cells.spec(task, agent=find_agent("command"), model="", agent_argv=argv, **where)).path

    return make


def _on_small_disk(size: str, what: str, *steps: Step) -> Make:
    """The whole of cabtrace where `what`, the scratch folder or the store, is a file system of that size."""

    def make(cells: Cells) -> Path:
        scratch, small = cells.folder / "scratch", cells.folder / "small"
        for folder in (scratch, small, cells.store):
            folder.mkdir(parents=True, exist_ok=True)
        server = ModelServer([script(*steps)], speed=0)
        server.start()
        place, store, copy = (scratch, cells.store, "") if what == "scratch" else (small, small, str(cells.store))
        argv = ["run", "--task", str(cells.task()), "--agent", "reference", "--model", "m", "--sandbox", "local"]
        more = ["--endpoint", server.url, "--store", str(store), "--timeout", "60"]
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(cells.folder),
            "CABTRACE_SCRATCH": str(scratch),
            "PYTHONPATH": ":".join(p for p in sys.path if p),
        }
        shell = [*_SPACE, "sh", "-c", _SMALL_DISK, "sh", size, str(place), copy]
        try:
            subprocess.run(
                [*shell, sys.executable, "-m", "cabtrace", *argv, *more],
                env=environment,
                capture_output=True,
                timeout=120,
                check=False,
            )
        finally:
            server.stop()
        return next(cells.store.rglob("run.json")).parent

    return make


_FILL = "head -c 100000000 /dev/zero > filler"
_EATS = "x = []\nwhile True: x.append(bytearray(1 << 20))"

# name -> (the cause that must be named first, words that its sentence must hold, how the cell is made)
CONTAINED: dict[str, tuple[str, tuple[str, ...], Make]] = {
    "agent out of memory": (
        "out_of_memory",
        ("64 MiB", "OOMKilled", "137"),
        _contained("python3", "-c", _EATS, memory_mb=64),
    ),
    "agent of another kind out of memory": (
        "out_of_memory",
        ("96 MiB", "OOMKilled"),
        _contained("sh", "-c", "exec tail /dev/zero", memory_mb=96),
    ),
    "a tool out of memory": (
        "out_of_memory",
        ("64 MiB", "OOMKilled", "went on"),
        _contained("sh", "-c", "tail /dev/zero; echo went on", memory_mb=64),
    ),
    "killed with memory to spare": ("agent_killed", ("SIGKILL", "not for want of memory"), _contained("sh", "-c", "kill -KILL $$")),
    "the shell is no program": ("broken_image", ("broken-shell", "failed: "), _contained("true", image="shell")),
    "no loader": ("broken_image", ("broken-loader", "failed: "), _contained("true", image="loader")),
    "no bash for the tests": ("broken_image", ("broken-bash", "'bash'"), _contained("sh", "-c", MEND, image="bash")),
    "the agent is for another machine": ("agent_missing", ("126",), _contained("/bin/agent", image="other-machine")),
    "the agent is not in the image": ("agent_missing", ("'no-such-agent'",), _contained("no-such-agent", "--do")),
}  # fmt: skip

DISKS: dict[str, tuple[str, tuple[str, ...], Make]] = {
    "disk full to the end": (
        "disk_full",
        ("No space left on device",),
        _on_small_disk("4m", "scratch", LOOK, _FILL, MEND, TEST, says(DONE)),
    ),
    "disk full while it edits": (
        "disk_full",
        ("No space left on device",),
        _on_small_disk("4m", "scratch", LOOK, _FILL, f"{MEND}; rm add.sh", "rm filler", says(DONE)),
    ),
    "disk full for a copy": (
        "disk_full",
        ("No space left on device",),
        _on_small_disk("4m", "scratch", f"{_FILL}; cp add.sh add.new && mv add.new add.sh", "rm -f filler", says(DONE)),
    ),
}

STORE_FULL: Make = _on_small_disk("300k", "store", LOOK, "seq 1 200000", MEND, TEST, says(DONE))
