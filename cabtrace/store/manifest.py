"""manifest.json: SHA-256 of each file of a run and of each MiB of it, so that damage is found and named."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from cabtrace.limits import MIB
from cabtrace.store import layout
from cabtrace.store.lines import open_regular

FORMAT = "cabtrace.manifest"


def run_files(run_dir: Path) -> list[Path]:
    """The regular files of a run that are its record: no derived files, no links."""
    found = []
    for folder, _, names in os.walk(run_dir, followlinks=False):
        for name in names:
            path = Path(folder, name)
            if name not in layout.DERIVED and not name.startswith(".") and path.is_file() and not path.is_symlink():
                found.append(path)
    return sorted(found)


def digest_file(path: Path) -> dict[str, Any]:
    """`bytes`, `sha256` of the whole, `mib`: of each MiB in turn. Raises OSError."""
    whole, parts, size = hashlib.sha256(), [], 0
    with os.fdopen(open_regular(path), "rb") as handle:
        while block := handle.read(MIB):
            whole.update(block)
            parts.append(hashlib.sha256(block).hexdigest())
            size += len(block)
    return {"bytes": size, "sha256": whole.hexdigest(), "mib": parts}


def build_manifest(run_dir: Path) -> dict[str, Any]:
    """The manifest of a run as it is now. Raises OSError."""
    files = {str(p.relative_to(run_dir)): digest_file(p) for p in run_files(run_dir)}
    return {"format": FORMAT, "schema_version": 1, "files": files}
