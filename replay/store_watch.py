"""What became of a store since it was read: new runs, and those that were being recorded. Never reads all of it again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cabtrace.store import layout
from cabtrace.store.catalog import summarize
from replay.runs import RunRow, in_order, run_row

#: folders looked at each time, those near the store's root first: a sweep, agent, model or task that is new shows there.
#: Another attempt of a cell of a larger store shows when the store is read again.
_MOST_FOLDERS: Final = 2_000


class StoreWatch:
    """Looks at times of folders and at live runs only, so a look costs as much in a store of 100,000 runs as in a small one."""

    def __init__(self, store: Path, rows: Sequence[RunRow]) -> None:
        """`rows` is all that was read of the store."""
        self._rows = {str(row.path): row for row in rows}
        self._live = {str(row.path) for row in rows if row.live}
        self._folders = {root := str(store)}
        for path in self._rows:
            while len(path := path.rpartition(os.sep)[0]) > len(root) and path not in self._folders:
                self._folders.add(path)
        nearest = sorted(self._folders, key=lambda path: (path.count(os.sep), path))[:_MOST_FOLDERS]
        self._changed_ns: dict[str, int] = dict.fromkeys(nearest, -1)

    def look(self, stop: Callable[[], bool] = lambda: False) -> Sequence[RunRow] | None:
        """All rows, failed first, where one of them changed or is new; None where nothing did. Blocks on the disk."""
        paths = [*self._live, *self._new(stop)]
        changed = {path: row for path in paths if (row := run_row(summarize(Path(path)))) != self._rows.get(path)}
        if not changed:
            return None
        self._rows.update(changed)
        self._live.difference_update(changed)
        self._live.update(path for path, row in changed.items() if row.live)
        return in_order(self._rows.values())

    def _new(self, stop: Callable[[], bool]) -> Iterator[str]:
        """Runs in folders whose time changed, and in the folders that are new in them."""
        left = list(self._changed_ns)
        while left and not stop():
            folder = left.pop()
            try:
                changed_ns = os.stat(folder).st_mtime_ns  # noqa: PTH116 - many of them, every other second
                if changed_ns == self._changed_ns[folder]:
                    continue
                with os.scandir(folder) as entries:
                    inner = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
            except OSError:
                continue
            self._changed_ns[folder] = changed_ns  # as it was before it was read: what comes meanwhile is found by the next look
            if self._is_run(folder):  # it was made before its header was
                del self._changed_ns[folder]
                yield folder
                continue
            for path in inner:
                if path in self._rows or path in self._folders:
                    continue
                if self._is_run(path):
                    yield path
                elif len(self._changed_ns) < 2 * _MOST_FOLDERS:
                    self._folders.add(path)
                    self._changed_ns[path] = -1
                    left.append(path)

    def _is_run(self, folder: str) -> bool:
        return os.access(f"{folder}{os.sep}{layout.RUN}", os.F_OK)
