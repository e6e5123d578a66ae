"""Holds a run against its manifest and its formats; names the file and the records that are damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from cabtrace.limits import MIB
from cabtrace.model.otlp import spans_from_line
from cabtrace.store import layout
from cabtrace.store.cast import decode_event, decode_header
from cabtrace.store.lines import LineFile, read_regular
from cabtrace.store.manifest import digest_file, run_files
from cabtrace.store.reader import RunView

_MANIFEST_BYTES = 64 * MIB
_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """`where` names the records, as far as they can be told."""

    file: str
    what: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.what}{f' ({self.where})' if self.where else ''}"


@dataclass(frozen=True, slots=True)
class Verification:
    """`files` were checked; `sealed` says whether there was a manifest to hold them against."""

    files: int
    sealed: bool
    problems: tuple[Problem, ...]


def verify_run(path: Path) -> Verification:
    """Checks every file of the run. Raises NotARunError or SchemaTooNewError."""
    run = RunView(path)
    manifest = _read_manifest(path)
    problems = list(_format_problems(path, live=run.live))
    if manifest is None:
        if run.header.status != "running":
            problems.append(Problem(layout.MANIFEST, "missing or unreadable; the run cannot be held against it"))
    else:
        problems += _manifest_problems(path, manifest)
    problems += [Problem(layout.TRACE, f"{n} spans name a parent that is not in the run") for n in [_orphans(run)] if n]
    return Verification(len(run_files(path)), manifest is not None, tuple(problems))


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        raw = orjson.loads(read_regular(path / layout.MANIFEST, _MANIFEST_BYTES))
    except (OSError, ValueError):
        return None
    files = raw.get("files") if isinstance(raw, dict) else None
    return files if isinstance(files, dict) else None


def _manifest_problems(path: Path, manifest: dict[str, Any]) -> Iterator[Problem]:
    present = {str(p.relative_to(path)): p for p in run_files(path)}
    for name in sorted(manifest.keys() - present.keys()):
        yield Problem(name, "missing")
    for name in sorted(present.keys() - manifest.keys()):
        yield Problem(name, "not in the manifest")
    for name in sorted(present.keys() & manifest.keys()):
        found, wanted = digest_file(present[name]), manifest[name]
        if not isinstance(wanted, dict):
            yield Problem(layout.MANIFEST, f"its entry of {name} cannot be read")
            continue
        if found["sha256"] == wanted.get("sha256"):
            continue
        parts = wanted.get("mib")
        parts = parts if isinstance(parts, list) else []
        bad = [i for i, digest in enumerate(found["mib"]) if i >= len(parts) or parts[i] != digest]
        what = f"{found['bytes']} bytes, not the {wanted.get('bytes')} that were sealed"
        yield Problem(
            name, what if found["bytes"] != wanted.get("bytes") else "changed since it was sealed", _records(path / name, bad)
        )


def _records(path: Path, bad_mib: list[int]) -> str:
    """Which lines lie in the damaged MiBs."""
    if path.suffix not in (".jsonl", ".cast") or not bad_mib:
        return f"MiB {', '.join(map(str, bad_mib))}" if bad_mib else ""
    damaged = set(bad_mib)
    lines = LineFile(path, max_line_bytes=256 * MIB)
    touched = [
        line.number
        for line in lines.new_lines()
        if damaged & set(range(line.offset // MIB, (line.offset + len(line.data)) // MIB + 1))
    ]
    return f"records {touched[0]} to {touched[-1]}" if touched else ""


def _format_problems(path: Path, *, live: bool) -> Iterator[Problem]:
    checks: dict[str, Callable[[bytes], object]] = {
        layout.TRACE: lambda line: spans_from_line(orjson.loads(line)),
        layout.OPEN: lambda line: spans_from_line(orjson.loads(line)),
        layout.LOGS: _log_line,
        layout.CALLS: lambda line: orjson.loads(line)["call_id"],
    }
    for name, check in checks.items():
        yield from _bad_lines(path / name, check, live=live)
    first: list[bool] = []

    def cast_line(line: bytes) -> object:
        if first:
            return decode_event(line)
        first.append(True)
        return decode_header(line)

    yield from _bad_lines(path / layout.TERMINAL, cast_line, live=live)


def _log_line(line: bytes) -> object:
    return orjson.loads(line)["resourceLogs"]


def _bad_lines(path: Path, check: Callable[[bytes], object], *, live: bool) -> Iterator[Problem]:
    lines = LineFile(path, max_line_bytes=256 * MIB)
    bad = []
    try:
        for line in lines.new_lines():
            try:
                check(line.data)
            except (ValueError, KeyError, TypeError, AttributeError):
                bad.append(line.number)
    except OSError as error:
        yield Problem(path.name, f"cannot be read ({error.strerror or error})")
        return
    if bad:
        shown = ", ".join(map(str, bad[:_SHOWN_LINES])) + (", …" if len(bad) > _SHOWN_LINES else "")
        yield Problem(path.name, f"{len(bad)} unreadable records", f"line {shown}")
    if lines.torn_bytes and not live:
        yield Problem(path.name, f"ends in the middle of a record ({lines.torn_bytes} bytes)", f"line {lines.count + 1}")


def _orphans(run: RunView) -> int:
    spans = run.spans()
    ids = {s.span_id for s in spans}
    return sum(1 for s in spans if s.parent_id and s.parent_id not in ids)
