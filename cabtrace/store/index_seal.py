"""Parts of `index.sqlite` that only the user who made them takes back: sealed by a key that never leaves the user's state folder.

What reads such a part hands its bytes to code that was not made for hostile input, or shows them as what was recorded. An index
that came with a run from elsewhere has no seal of this user's and is made again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cabtrace.store.files import DIRECTORY_MODE, FILE_MODE
from cabtrace.store.index import load_part, save_part
from cabtrace.store.lines import open_regular

_KEY_BYTES: Final = 32
_SEAL: Final = "seal"


def state_folder() -> Path:
    """`CABTRACE_STATE`, else the platform's folder for a user's state."""
    override = os.environ.get("CABTRACE_STATE")
    if override:
        return Path(override).expanduser()
    import platformdirs

    return platformdirs.user_state_path("cabtrace", appauthor=False)


def load_sealed(run_dir: Path, part: str, sources: str) -> dict[str, bytes] | None:
    """The blobs of a part that this user made from these sources; None when there are none, or someone else's."""
    key = _read_key(state_folder() / "index.key")
    blobs = load_part(run_dir, part, sources) if key else None
    if key is None or blobs is None:
        return None
    seal = blobs.pop(_SEAL, b"")
    return blobs if hmac.compare_digest(seal, _seal(key, part, sources, blobs)) else None


def save_sealed(run_dir: Path, part: str, sources: str, blobs: Mapping[str, bytes]) -> bool:
    """Keeps the blobs of a part; False where the run cannot be written to, or this user can keep no key."""
    key = _make_key(state_folder() / "index.key")
    return key is not None and save_part(run_dir, part, sources, {**blobs, _SEAL: _seal(key, part, sources, blobs)})


def _seal(key: bytes, part: str, sources: str, blobs: Mapping[str, bytes]) -> bytes:
    digest = hashlib.blake2b(key=key, digest_size=32)
    for piece in (part.encode(), sources.encode(), *(x for name in sorted(blobs) for x in (name.encode(), blobs[name]))):
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.digest()


def _read_key(path: Path) -> bytes | None:
    """None where there is none, or where others can read or could have put it."""
    try:
        fd = open_regular(path)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        mine = status.st_uid == os.geteuid() if hasattr(os, "geteuid") else True
        key = os.read(fd, _KEY_BYTES + 1)
    finally:
        os.close(fd)
    return key if mine and not stat.S_IMODE(status.st_mode) & 0o077 and len(key) == _KEY_BYTES else None


def _make_key(path: Path) -> bytes | None:
    """The key that is there, else a new one: complete under its name or not there at all, also when two make one at once."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.{os.getpid()}.tmp")
    if not os.path.lexists(path):
        with suppress(OSError):
            path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
            try:
                os.write(fd, secrets.token_bytes(_KEY_BYTES))
                os.fsync(fd)
            finally:
                os.close(fd)
            os.link(temporary, path)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return _read_key(path)
