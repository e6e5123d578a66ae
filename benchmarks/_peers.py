"""The peers: installed by pip at pinned versions into environments of the scratch folder, run with a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# What is installed, and the program that it brings.
PEERS = {
    "mini-swe-agent": ("mini-swe-agent==2.4.6", "mini-extra"),
    "trace-view": ("trace-view==0.1.0", "tv"),
    "sonar-tui": ("sonar-tui==0.1.0", "sonar"),
    "textual-asciinema": ("textual-asciinema==0.1.0", "textual-asciinema"),
}
_INSTALL_S = 600.0
_LOOPBACK = 'ip link set lo up && exec "$@"'


def install(folder: Path) -> dict[str, str]:
    """Programs by the name of their package; one that cannot be had is said and left out. What is there already is kept."""
    found = {}
    for name, (requirement, program) in PEERS.items():
        there = folder / requirement / "bin" / program
        if not there.exists():
            print(f"… installing {requirement}", flush=True)
            why = _install(folder / requirement, requirement)
            if why or not there.exists():
                print(f"{name} is left out: {why or f'it brings no {program}'}", flush=True)
                continue
        found[name] = str(there)
    return found


def _install(environment: Path, requirement: str) -> str:
    """Why it failed, or nothing."""
    argv = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    try:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True, capture_output=True, timeout=_INSTALL_S)
        subprocess.run(argv, check=True, capture_output=True, timeout=_INSTALL_S)
    except subprocess.TimeoutExpired:
        return f"pip took over {_INSTALL_S:.0f} s"
    except subprocess.CalledProcessError as error:
        said: bytes = error.stderr
        return (said.decode(errors="replace").strip().splitlines() or ["pip failed"])[-1]
    return ""


def own_home(scratch: Path) -> dict[str, str]:
    """The environment in which a peer neither finds nor leaves settings of the user's."""
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    folders = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {"HOME": str(home), **folders}


def alone(argv: list[str]) -> list[str]:
    """The command in a network namespace that has a loopback and nothing else: some peers listen on every address."""
    return ["unshare", "--map-root-user", "--net", "sh", "-c", _LOOPBACK, "sh", *argv]


def can_be_alone() -> bool:
    """Whether this machine lets the user have such a namespace."""
    try:
        return subprocess.run(alone(["true"]), capture_output=True, timeout=20, env=os.environ).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
