"""The Diff panel: what the agent changed on disk, unexpected files marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from replay.document import Line, Tone, heading, line, paragraphs, words
from replay.run import ReplayRun, Snapshot

_PATCH_CHARS = 512 * 1024
_SIGNS = (("added", "+", Tone.ADDED), ("removed", "-", Tone.REMOVED), ("modified", "~", Tone.WARN))
_FILES_SHOWN = 500


def diff_panel(run: ReplayRun, snapshot: Snapshot) -> Iterator[Line]:
    """The list of files, then the patch as git shows it."""
    changes, patch = run.changes(), run.patch()
    yield from _files(changes, unexpected_paths(snapshot))
    if patch:
        if changes:
            yield Line()
        for row in patch[:_PATCH_CHARS].split("\n"):
            yield from paragraphs(row, patch_tone(row))
        if len(patch) > _PATCH_CHARS:
            yield line(words(f"… {len(patch) - _PATCH_CHARS:,} more characters are in workspace.patch", Tone.WARN))
    elif not changes:
        yield line(words("What changed on disk is unknown: nothing was recorded of it.", Tone.DIM))
    if snapshot.header.completeness.patch_cut:
        yield line(words("! The patch was cut while it was recorded.", Tone.WARN))


def _files(changes: Mapping[str, Any], unexpected: frozenset[str] | None) -> Iterator[Line]:
    total = sum(len(_paths(changes, key)) for key, _, _ in _SIGNS)
    if changes:
        yield heading(f"{total:,} files changed" if total else "Nothing changed on disk.")
    shown = 0
    for key, sign, tone in _SIGNS:
        for path in _paths(changes, key)[: _FILES_SHOWN - shown]:
            shown += 1
            odd = unexpected is not None and path in unexpected
            yield line(words(f"{sign} ", tone), words(path), words("  ! unexpected" if odd else "", Tone.WARN))
    if shown < total:
        yield line(words(f"… and {total - shown:,} more", Tone.DIM))
    if changes.get("extra_git_dir") is True:
        yield line(words("The agent made a git repository of its own.", Tone.DIM))


def _paths(changes: Mapping[str, Any], key: str) -> Sequence[str]:
    value = changes.get(key)
    return [str(p) for p in value] if isinstance(value, list) else []


def unexpected_paths(snapshot: Snapshot) -> frozenset[str] | None:
    """Paths that the blast radius axis did not expect; None where it could not know."""
    values = snapshot.header.scores.get("blast_radius", {}).get("values")
    paths = values.get("unexpected_changes") if isinstance(values, Mapping) else None
    return frozenset(map(str, paths)) if isinstance(paths, list | tuple) else None


def patch_tone(row: str) -> Tone:
    """How a line of a patch is shown."""
    if row.startswith(("+++", "---", "diff ", "index ", "new file", "deleted file", "rename ", "similarity ")):
        return Tone.STRONG
    if row.startswith("@@"):
        return Tone.HUNK
    return Tone.ADDED if row.startswith("+") else Tone.REMOVED if row.startswith("-") else Tone.TEXT
