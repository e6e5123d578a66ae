"""The Diff panel: what the agent changed on disk, unexpected files marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replay.document import Line, Piece, Tone, heading, line, paragraphs, words
from replay.panels.scores import as_of_the_end
from replay.run import ReplayRun, Snapshot

_PATCH_CHARS = 512 * 1024
_SIGNS = (("added", "+", Tone.ADDED), ("removed", "-", Tone.REMOVED), ("modified", "~", Tone.WARN))
_TONES = {"+": Tone.ADDED, "-": Tone.REMOVED}
_FILES_SHOWN = 500
#: git's own words on a file, of which the heading says as much
_SAID = ("index ", "--- ", "+++ ", "new file mode ", "deleted file mode ")


@dataclass(frozen=True, slots=True)
class FilePatch:
    """A file's part of a patch. `rows` are git's, without what the path and the sign already say."""

    path: str
    sign: str
    added: int
    removed: int
    rows: Sequence[str]


def diff_panel(run: ReplayRun, snapshot: Snapshot, offset_ns: int | None = None) -> Iterator[Line]:
    """The list of files with how much of each changed, then the patch file by file. It is as of the end of the run."""
    note = as_of_the_end(snapshot, offset_ns)
    if note is not None:
        yield note
    yield from patch_lines(run, snapshot)


def patch_lines(run: ReplayRun, snapshot: Snapshot) -> Iterator[Line]:
    """What does not hang on the playhead."""
    changes, patch = run.changes(), run.patch()
    files, unexpected = split_patch(patch[:_PATCH_CHARS]), unexpected_paths(snapshot)
    yield from _files(changes, files, unexpected)
    if files:
        for file in files:
            yield Line()
            yield from _file_lines(file, unexpected)
        if len(patch) > _PATCH_CHARS:
            yield line(words(f"… {len(patch) - _PATCH_CHARS:,} more characters are in workspace.patch", Tone.WARN))
    elif patch:
        yield from (row for text in patch[:_PATCH_CHARS].split("\n") for row in paragraphs(text, patch_tone(text)))
    elif not changes:
        yield line(words("What changed on disk is unknown: nothing was recorded of it.", Tone.DIM))
    if snapshot.header.completeness.patch_cut:
        yield line(words("! The patch was cut while it was recorded.", Tone.WARN))


def split_patch(patch: str) -> list[FilePatch]:
    """The files of a patch, in its order; [] where it is none that git makes."""
    files: list[FilePatch] = []
    rows: list[str] = []
    for row in patch.split("\n"):
        if row.startswith("diff --git "):
            if rows:
                files.append(_file_patch(rows))
            rows = [row]
        elif rows:
            rows.append(row)
    return [*files, _file_patch(rows)] if rows else []


def _file_patch(rows: Sequence[str]) -> FilePatch:
    body = next((place for place, row in enumerate(rows) if row.startswith(("@@", "GIT binary patch"))), len(rows))
    head, hunks = rows[1:body], rows[body:]
    sign = "+" if any(r.startswith("new file") for r in head) else "-" if any(r.startswith("deleted") for r in head) else "~"
    kept = [row for row in head if not row.startswith(_SAID) and row]
    while hunks and not hunks[-1]:
        hunks = hunks[:-1]
    return FilePatch(
        _path_of(rows[0], head),
        sign,
        sum(row.startswith("+") for row in hunks),
        sum(row.startswith("-") for row in hunks),
        [*kept, *hunks],
    )


def _path_of(first: str, head: Iterable[str]) -> str:
    """The path after the change, without git's `b/`; before it, where the file was removed."""
    after = before = ""
    for row in head:
        if row.startswith("+++ "):
            after = row[4:].rstrip("\t")
        elif row.startswith("--- "):
            before = row[4:].rstrip("\t")
        elif row.startswith("rename to "):
            return row[len("rename to ") :]
    path = after if after and after != "/dev/null" else before
    if not path or path == "/dev/null":
        words_after = first[len("diff --git ") :]
        return words_after[len(words_after) // 2 + 1 :].removeprefix("b/")  # `a/X b/X`
    path = path.removeprefix('"').removesuffix('"')
    return path[2:] if path.startswith(("a/", "b/")) else path


def _file_lines(file: FilePatch, unexpected: frozenset[str] | None) -> Iterator[Line]:
    yield line(*_title(file.path, file.sign, file, unexpected, Tone.HEAD), level=1)
    in_hunk = False
    for row in file.rows:
        in_hunk |= row.startswith("@@")
        if row.startswith("@@"):
            yield line(words(row, Tone.HUNK), level=2)
        else:  # in a hunk `--- x` is a line `-- x` that was removed
            tone = _TONES.get(row[:1], Tone.TEXT) if in_hunk else patch_tone(row)
            yield from paragraphs(row, tone)


def _title(path: str, sign: str, file: FilePatch | None, unexpected: frozenset[str] | None, tone: Tone) -> Iterator[Piece]:
    yield words(f"{sign} ", next(tone for _, known, tone in _SIGNS if known == sign))
    yield words(path, tone)
    if file is not None and (file.added or file.removed):
        yield words(f"  +{file.added:,}", Tone.ADDED)
        yield words(f" −{file.removed:,}", Tone.REMOVED)
    if unexpected is not None and path in unexpected:
        yield words("  ! unexpected", Tone.WARN)


def _files(changes: Mapping[str, Any], files: Sequence[FilePatch], unexpected: frozenset[str] | None) -> Iterator[Line]:
    total = sum(len(_paths(changes, key)) for key, _, _ in _SIGNS)
    by_path = {file.path: file for file in files}
    if changes:
        added, removed = sum(file.added for file in files), sum(file.removed for file in files)
        amount = f"  +{added:,} −{removed:,}" if files else ""
        counted = f"{total:,} file{'' if total == 1 else 's'} changed{amount}"
        yield heading(counted if total else "Nothing changed on disk.")
    shown = 0
    for key, sign, _ in _SIGNS:
        for path in _paths(changes, key)[: _FILES_SHOWN - shown]:
            shown += 1
            yield line(*_title(path, sign, by_path.get(path), unexpected, Tone.TEXT))
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
    if row.startswith(("+++ ", "--- ", "diff ", "index ", "new file", "deleted file", "rename ", "similarity ")):
        return Tone.STRONG
    if row.startswith("@@"):
        return Tone.HUNK
    return _TONES.get(row[:1], Tone.TEXT)
