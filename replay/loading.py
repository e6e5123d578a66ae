"""From the files of a run to its timeline: read once, kept in the run's index where it is large, followed while it grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cabtrace.limits import MIB
from cabtrace.store import layout
from cabtrace.store.span_records import SpanRecords
from cabtrace.store.span_scan import SOURCES, SpanScan
from replay.build import build_columns, instants
from replay.columns import Columns, Summary, from_blobs, to_blobs
from replay.memory import give_back_memory
from replay.span_list import SpanList
from replay.timeline import Timeline

if TYPE_CHECKING:
    from cabtrace.store.span_order import OrderedFacts

#: Gets the share of the work that is done, 0 to 1; what it raises ends the work.
Progress = Callable[[float], None]

PART: Final = "spans"
_VERSION: Final = 4
_KEEP_FROM: Final = 20_000  # spans; fewer are read faster than anyone sees
_LARGE_BYTES: Final = 2 * MIB  # of trace.jsonl; so many spans never take less
_SCAN_SHARE: Final = 0.7


class SpanLoader:
    """Makes timelines of one run directory, the next from what the last one knew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scan: SpanScan | None = None
        self._live = False
        self._seen: tuple[object, ...] = ()
        self._keeps = True
        self.heard_ns: int | None = None  # the last that a live run told of itself, Unix time

    def refresh(self, *, live: bool) -> bool:
        """Reads what was appended; True if a timeline would be another one now. Raises OSError where a file cannot be read."""
        changed = live != self._live
        self._live = live
        if self._scan is None and self._seen and self._seen == self._looks():
            return changed
        self._scan = self._scan or SpanScan(self._path)
        return self._scan.refresh(live=live) or changed

    def load(
        self,
        *,
        live: bool,
        wall_ns: int,
        terminal_ns: int | None,
        now_ns: int = 0,
        progress: Progress = lambda share: None,
    ) -> Timeline:
        """`wall_ns`: the clock's anchor; `terminal_ns`: the length of the terminal's recording. Raises OSError as `refresh`.

        `now_ns`: up to when a live run has come (Unix), though nothing was heard of it.
        """
        self._seen, self._live = self._looks(), live
        sources = "" if live or not self._keeps or not self._is_large() else self._sources(wall_ns, terminal_ns)
        if sources and (kept := self._kept(sources)) is not None:
            self._scan = None
            return self._timeline(*kept, SpanRecords(self._paths()), live=False)
        scan = self._scan or SpanScan(self._path)
        scan.refresh(live=live, progress=lambda share: progress(share * _SCAN_SHARE))
        records, reading = scan.records(), tuple(scan.warnings())
        facts = scan.facts(records, last=not live)
        self._scan = scan if live else None
        self.heard_ns = heard_ns = _until(facts, wall_ns, terminal_ns)
        columns, summary = build_columns(
            facts,
            since_ns=wall_ns if wall_ns > 0 else None,
            until_ns=max(heard_ns, now_ns if live else 0),
            progress=lambda share: progress(_SCAN_SHARE + share * (1 - _SCAN_SHARE)),
        )
        summary = replace(summary, reading=reading)
        if len(facts) <= _KEEP_FROM or live:
            return self._timeline(columns, summary, records, live=live)
        del facts
        give_back_memory()
        if sources and sources == self._sources(wall_ns, terminal_ns) and self._keep(sources, columns, summary):
            del columns, summary  # those of the index are in one piece, where building left pieces everywhere
            give_back_memory()
            if (kept := self._kept(sources)) is not None:
                return self._timeline(*kept, records, live=False)
            self._keeps = False  # it cannot be read back, so once more without it
            return self.load(live=False, wall_ns=wall_ns, terminal_ns=terminal_ns, progress=progress)
        return self._timeline(columns, summary, records, live=False)

    def _timeline(self, columns: Columns, summary: Summary, records: SpanRecords, *, live: bool) -> Timeline:
        return Timeline(SpanList(records, columns, live=live), columns=(columns, summary))

    def _paths(self) -> dict[str, Path]:
        return {name: self._path / name for name in SOURCES}

    def _looks(self) -> tuple[object, ...]:
        looks: list[object] = []
        for path in self._paths().values():
            try:
                status = path.stat()
            except OSError:
                looks.append(None)
            else:
                looks.append((status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(looks)

    def _is_large(self) -> bool:
        try:
            return (self._path / layout.TRACE).stat().st_size >= _LARGE_BYTES
        except OSError:
            return False

    def _sources(self, wall_ns: int, terminal_ns: int | None) -> str:
        from cabtrace.store.index import fingerprint  # not for small runs: it costs an import of SQLite

        return f"{fingerprint(self._path, SOURCES, _VERSION)} {wall_ns} {terminal_ns}"

    def _kept(self, sources: str) -> tuple[Columns, Summary] | None:
        from cabtrace.store.index import load_part

        blobs = load_part(self._path, PART, sources)
        return from_blobs(blobs) if blobs else None

    def _keep(self, sources: str, columns: Columns, summary: Summary) -> bool:
        from cabtrace.store.index import save_part

        return save_part(self._path, PART, sources, to_blobs(columns, summary))


def terminal_start_ns(summary: Summary, wall_ns: int) -> int:
    """When second 0 of the terminal's recording was (Unix ns): the start of the container span, else of the run."""
    return _terminal_start(summary.first_ns, summary.container_ns, wall_ns)


def _terminal_start(first_ns: int | None, container_ns: int | None, wall_ns: int) -> int:
    if container_ns is not None:
        return container_ns
    return wall_ns if first_ns is None else min(first_ns, wall_ns)


def _until(facts: OrderedFacts, wall_ns: int, terminal_ns: int | None) -> int:
    """The last instant that anything is known of."""
    first_ns, last_ns, container_ns = instants(facts)
    latest = wall_ns if last_ns is None else last_ns
    return latest if terminal_ns is None else max(latest, _terminal_start(first_ns, container_ns, wall_ns) + terminal_ns)
