"""Which folders of this machine may be shown to an untrusted agent."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cabtrace.errors import SandboxError

# Nothing in or below these, and none of the folders that hold them.
_SYSTEM = (
    "/proc",
    "/sys",
    "/dev",
    "/etc",
    "/boot",
    "/run",
    "/var/run",
    "/var/lib/docker",
    "/var/lib/containerd",
)
# Below the home folder; the home folder itself and what holds it are refused as well.
_PRIVATE = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".password-store",
    ".config",
    ".local/share/keyrings",
    ".claude",
    ".codex",
    ".copilot",
    ".gemini",
    "Library/Keychains",
)
_HINT = "Copy what the task needs into its environment/ folder instead."


def check_mount(source: str | os.PathLike[str], *, home: Path | None = None) -> Path:
    """`source` with every link resolved, once it is known to be harmless.

    Args:
        source: A folder or regular file of this machine; must be absolute and exist.
        home: The user's home folder, `Path.home()` where None.

    Raises:
        SandboxError: It is, holds, or lies in something that an agent must not see, be it through a link or `..`.
    """
    text = os.fspath(source)
    if not text or "\0" in text or not text.startswith("/"):
        raise SandboxError(f"The mount {text!r} is refused: it is not an absolute path.", hint=_HINT)
    try:
        real = Path(text).resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise SandboxError(f"The mount {text!r} is refused: it cannot be read ({type(error).__name__}).") from error
    # The path as written counts too: /var/run is refused even where it is not a link.
    for seen in (real, Path(os.path.normpath(text))):
        reason = _reason(seen, (home or Path.home()))
        if reason:
            raise SandboxError(f"The mount {text!r} is refused: {reason}.", hint=_HINT)
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise SandboxError(f"The mount {text!r} is refused: it is neither a folder nor a regular file.", hint=_HINT)
    return real


def _reason(path: Path, home: Path) -> str:
    if path.name.lower() in {"docker.sock", "containerd.sock", "podman.sock", "crio.sock"}:
        return "whoever reaches a container engine's socket is root on this machine"
    for name in _SYSTEM:
        for guarded in {Path(name), Path(name).resolve()}:
            if path.is_relative_to(guarded) or guarded.is_relative_to(path):
                return f"it shows {name}"
    for base in {home, home.resolve(), Path("/root")}:
        if base.is_relative_to(path):
            return "it shows the home folder"
        for name in _PRIVATE:
            for guarded in {base / name, (base / name).resolve()}:
                if path.is_relative_to(guarded) or guarded.is_relative_to(path):
                    return f"it shows ~/{name}"
    return ""
