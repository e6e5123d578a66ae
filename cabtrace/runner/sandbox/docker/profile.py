"""What a cell's container is allowed, and what runs in it: pure, so that every case can be tested without an engine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from cabtrace.errors import SandboxError
from cabtrace.runner.sandbox.archive import Identity
from cabtrace.runner.sandbox.owner import OWNER_LABEL, RUN_LABEL

ROOM: Final = "/cabtrace"  # root's, so that the agent can put nothing in the way of the next command
HOME: Final = "/cabtrace/home"
START_FOLDER: Final = "/cabtrace/start"
START_SCRIPT: Final = "/cabtrace/start/run"
TESTS: Final = "/tests"
LOGS: Final = "/logs/verifier"
SOLUTION: Final = "/solution"
WORKSPACE: Final = "/workspace"
DEFAULT_USER: Final = "1000:1000"
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_GIB: Final = 1024**3
# Engines before 23.0.11 forward names asked for inside an internal network from the host's own network, a way out
# (CVE-2024-29018). A name server on the loopback is that of the container: nothing answers there.
_NO_NAME_SERVER: Final = "127.0.0.1"
_SYSTEM_FOLDERS: Final = frozenset(
    ["bin", "boot", "cabtrace", "dev", "etc", "lib", "lib64", "logs", "proc", "sbin", "solution", "sys", "tests"]
)
_PORTS_NAMED: Final = 8
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Resources:
    """What a container may use: CPUs, bytes, processes."""

    cpus: float = 2.0
    memory_bytes: int = 4 * _GIB
    pids: int = 512
    open_files: int = 4_096  # the kernel's own hard default; an engine may not be allowed to raise its own limit


def container_settings(
    *,
    resources: Resources,
    user: str,
    workdir: str,
    labels: Mapping[str, str],
    network: str,
    internal: bool,
    extra_hosts: Mapping[str, str],
    mounts: Sequence[str] = (),
) -> dict[str, Any]:
    """Keyword arguments of docker-py's `containers.create`: the hardened profile, whatever the task asks for.

    `mounts` are folders of this machine that `check_mount` let pass; they are bound read-only at the same path.
    """
    settings: dict[str, Any] = {
        "entrypoint": ["/bin/sh", START_SCRIPT],
        "command": [],
        "user": user,
        "working_dir": workdir,
        # For the init: SIGTERM reaches the whole process group, not only its leader, and nothing is said on the terminal.
        "environment": {"TERM": "xterm-256color", "TINI_KILL_PROCESS_GROUP": "1", "TINI_VERBOSITY": "0"},
        "tty": True,
        "stdin_open": False,
        "detach": True,
        "init": True,
        "healthcheck": {"test": ["NONE"]},  # an image's own check is another process in the cell
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": False,
        "pids_limit": resources.pids,
        "mem_limit": resources.memory_bytes,
        "memswap_limit": resources.memory_bytes,
        "nano_cpus": int(resources.cpus * 1_000_000_000),
        "ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": resources.open_files, "Hard": resources.open_files},
        ],
        # The terminal is recorded by us; the engine's own copy is kept small.
        "log_config": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
        "ipc_mode": "private",
        "restart_policy": {"Name": "no"},
        "network": network,
        "extra_hosts": dict(extra_hosts),
        "labels": dict(labels),
    }
    if internal:
        settings["dns"] = [_NO_NAME_SERVER]
        settings["dns_opt"] = ["timeout:1", "attempts:1"]  # older engines leave such a question unanswered
    if mounts:
        settings["volumes"] = {path: {"bind": path, "mode": "ro"} for path in mounts}
    return settings


def cell_labels(run_id: str, owner: str, task: str = "") -> dict[str, str]:
    """Labels by which `cabtrace gc` finds what a killed runner left, and knows whose it was."""
    labels = {RUN_LABEL: run_id, OWNER_LABEL: owner}
    return {**labels, "cabtrace.task": task} if task else labels


def choose_user(image_user: str, wanted: str, *, foreign_task: bool) -> str:
    """Who the agent is: what the task says, else the image's own user, else nobody in particular (never root unasked).

    A foreign task was written for the image's own user, be it root, and runs as that.
    """
    if wanted:
        return wanted
    if foreign_task:
        return image_user or "0:0"
    return DEFAULT_USER if is_root(image_user) else image_user


def is_root(user: str) -> bool:
    """Whether a USER of an image or task is root; an empty one is."""
    return user.split(":")[0] in ("", "0", "root")


def resolve_identity(user: str, passwd: str) -> Identity:
    """The numbers behind a `USER[:GROUP]`, looked up in the image's own /etc/passwd.

    Raises:
        SandboxError: A name that the image does not know.
    """
    name, _, group = user.partition(":")
    accounts = {fields[0]: fields for line in passwd.splitlines() if len(fields := line.split(":")) >= 4}
    by_number = {fields[2]: fields for fields in reversed(list(accounts.values()))}
    found = accounts.get(name) or by_number.get(name)
    if not name.isdigit() and found is None:
        raise SandboxError(f"The image has no user {name!r}.", hint="Set [environment] user to a number or a user it has.")
    uid = name if name.isdigit() else found[2] if found else "0"
    gid = group if group.isdigit() else found[3] if found else "0"
    if not (uid.isdigit() and gid.isdigit()):
        raise SandboxError(f"The image's /etc/passwd does not say who {user!r} is.")
    return Identity(int(uid), int(gid))


def start_script(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, columns: int, rows: int, defaults: Mapping[str, str]
) -> bytes:
    """The script that a container's start runs. It removes itself, sets the terminal's size, and becomes the command.

    Args:
        argv: The command.
        env: Its variables, on top of the image's own.
        cwd: Absolute.
        columns: Width of the terminal; the engine has no call that sets it before the start.
        rows: Height of the terminal.
        defaults: Variables for which the image's own value has precedence.

    Raises:
        SandboxError: A variable or argument that no shell can pass on.
    """
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise SandboxError(f"The environment variable name {name!r} cannot be set in a container.")
        if "\0" in value:
            raise SandboxError(f"The environment variable {name} holds a zero byte.")
    if any("\0" in argument for argument in argv):
        raise SandboxError("An argument of the command holds a zero byte.")
    lines = [
        f"rm -f -- {START_SCRIPT}",
        "unset TINI_KILL_PROCESS_GROUP TINI_VERBOSITY",
        *(f': "${{{name}:={value}}}"; export {name}' for name, value in defaults.items()),
        *(f"export {name}={shlex.quote(value)}" for name, value in env.items()),
        f"stty cols {columns:d} rows {rows:d} 2>/dev/null",
        f"cd -- {shlex.quote(cwd)} || exit 126",
        *([] if "OLDPWD" in env else ["unset OLDPWD"]),
        "exec " + " ".join(map(shlex.quote, argv)),
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def search_paths(program: str, path: str, cwd: str) -> list[str]:
    """Where in the image a program may be, in order."""
    if "/" in program:
        return [program if program.startswith("/") else f"{cwd.rstrip('/')}/{program}"]
    return [f"{folder.rstrip('/')}/{program}" for folder in path.split(":") if folder.startswith("/")]


def choose_workdir(image_workdir: str, wanted: str, *, foreign_task: bool) -> str:
    """Where the agent works: what the task says, else the image's own folder for a foreign task, else /workspace.

    Raises:
        SandboxError: The task's folder is relative, or one that the system needs.
    """
    workdir = wanted or (image_workdir if foreign_task else "") or WORKSPACE
    parts = PurePosixPath(workdir).parts
    if not workdir.startswith("/") or ".." in parts:
        raise SandboxError(f"The workdir {workdir!r} is not an absolute path.", hint="Correct [environment] workdir.")
    if len(parts) == 1 and foreign_task and not wanted:
        return WORKSPACE
    if len(parts) == 1 or parts[1] in _SYSTEM_FOLDERS:
        raise SandboxError(f"The workdir {workdir} is a system folder.", hint="Correct [environment] workdir.")
    return str(PurePosixPath(workdir))


def left_open(user: str, mounts: Sequence[str], ports: Sequence[int]) -> tuple[str, ...]:
    """What the container does not close, in words."""
    found = []
    if is_root(user):
        found.append("the agent is root in its container: it can change the programs that the tests use")
    if mounts:
        found.append(f"folders of this machine are shown read-only: {', '.join(mounts)}")
    if ports:
        listed = ", ".join(map(str, ports[:_PORTS_NAMED])) + (" and more" if len(ports) > _PORTS_NAMED else "")
        found.append(f"programs of this machine that do not listen on loopback only can be reached: TCP {listed}")
    return tuple(found)
