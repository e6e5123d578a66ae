"""The files of a run directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

RUN: Final = "run.json"
TRACE: Final = "trace.jsonl"
OPEN: Final = "open.jsonl"
LOGS: Final = "logs.jsonl"
TERMINAL: Final = "terminal.cast"
CALLS: Final = "calls.jsonl"
PATCH: Final = "workspace.patch"
ARTIFACTS: Final = "artifacts"
MANIFEST: Final = "manifest.json"
LOCK: Final = "run.lock"  # held (flock) by the recorder while it lives; gone once it closed the run
RESERVE: Final = ".reserve"  # disk space kept for the closing run.json
INDEX: Final = "index.sqlite"  # derived

#: in artifacts/, written by the runner
CHANGES: Final = "changes.json"
VERIFIER: Final = "verifier.json"

DERIVED: Final = frozenset({INDEX, f"{INDEX}-wal", f"{INDEX}-shm", MANIFEST, LOCK, RESERVE, "bookmarks.json"})


def default_store() -> Path:
    """`CABTRACE_STORE`, else the platform's data directory."""
    override = os.environ.get("CABTRACE_STORE")
    if override:
        return Path(override).expanduser()
    import platformdirs

    return platformdirs.user_data_path("cabtrace", appauthor=False) / "runs"


def default_scratch() -> Path:
    """`CABTRACE_SCRATCH`, else below the platform's cache directory: working copies, never records."""
    override = os.environ.get("CABTRACE_SCRATCH")
    if override:
        return Path(override).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("cabtrace", appauthor=False) / "scratch"
