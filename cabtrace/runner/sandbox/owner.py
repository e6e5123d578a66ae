"""Who owns a container, a network, a process or a scratch folder: one process of one boot of one machine."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OWNER_LABEL: Final = "cabtrace.owner"
RUN_LABEL: Final = "cabtrace.run"
OWNER_VARIABLE: Final = "CABTRACE_OWNER"
RUN_VARIABLE: Final = "CABTRACE_RUN_ID"

_FIELDS = 5
_START_TIME_FIELD = 19  # of /proc/PID/stat after the command name: starttime, in clock ticks since boot
_TOKEN = re.compile(r"[0-9A-Za-z_.:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that cannot be mistaken for another: pids are reused, start times within one boot are not.

    `machine` and `pid_namespace` say whether `pid` means anything here: a remote engine or a shared folder is seen from
    several machines, a mounted socket from several containers.
    """

    machine: str
    boot: str
    pid_namespace: str
    pid: int
    started: str

    def __str__(self) -> str:
        return "/".join((self.machine, self.boot, self.pid_namespace, str(self.pid), self.started))


def parse_owner(text: str) -> Owner | None:
    """The owner that `str(owner)` wrote; None where the text is anything else."""
    parts = text.split("/")
    if len(parts) != _FIELDS or not all(map(_TOKEN.fullmatch, parts)) or not re.fullmatch(r"[0-9]{1,10}", parts[3]):
        return None
    machine, boot, namespace, pid, started = parts
    return Owner(machine, boot, namespace, int(pid), started)


def current_owner() -> Owner:
    """This process."""
    pid = os.getpid()
    return Owner(_machine(), _boot(), _pid_namespace(), pid, _started(pid) or "unknown")


def is_gone(owner: Owner) -> bool:
    """Whether that process certainly no longer runs. An owner that cannot be judged from here is not gone."""
    if owner.machine != _machine():
        return False
    if owner.boot != _boot():
        return True
    if owner.pid_namespace != _pid_namespace():
        return False
    started = _started(owner.pid)
    return started is None or started != owner.started


def _machine() -> str:
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            identity = Path(path).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if identity:
            break
    else:
        identity = platform.node()
    # The id itself is meant to stay on its machine (machine-id(5)).
    return hashlib.sha256(f"cabtrace:{identity}".encode()).hexdigest()[:16]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


def _pid_namespace() -> str:
    try:
        return "".join(re.findall(r"[0-9]+", str(Path("/proc/self/ns/pid").readlink()))) or "0"
    except OSError:
        return "0"


def _started(pid: int) -> str | None:
    """The start time of a running process, exact; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return _started_elsewhere(pid) if not Path("/proc/self/stat").exists() else None
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):  # dead, only not yet waited for
        return None
    return fields[_START_TIME_FIELD].decode()


def _started_elsewhere(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None
