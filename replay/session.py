"""What the user does with a run: one playhead, one selection, what is folded. The TUI maps keys to these methods, no more."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from replay.bookmarks import Bookmark, read_bookmarks, with_bookmark, write_bookmarks
from replay.clock import ReplayClock
from replay.idle import IdleMap, find_idle
from replay.journal import Entry, journal

if TYPE_CHECKING:
    from cabtrace.diagnose.finding import Diagnosis
    from replay.markers import Marker
    from replay.path import PathOverlay
    from replay.places import Found
    from replay.run import ReplayRun, Snapshot
    from replay.search import Results
    from replay.timeline import Row

STEP_NS = 100_000_000


class Tab(StrEnum):
    """The panels; the value is the title."""

    SPAN = "Span"
    CALLS = "Calls"
    MESSAGES = "Messages"
    DIFF = "Diff"
    SCORES = "Scores"
    LOGS = "Logs"
    WHY = "Why"


class Session:
    """State of one replay screen. `notice` is a sentence for the user about the last action, or ""."""

    def __init__(self, run: ReplayRun, now_ns: Callable[[], int], *, at_ns: int | None = None) -> None:
        """`at_ns`: where to begin, an offset from the start of the run; a live run is followed when it is None."""
        self.run = run
        timeline = run.snapshot.timeline
        self.clock = ReplayClock(timeline.duration_ns, now_ns, following=run.snapshot.live and at_ns is None)
        if at_ns is not None:
            self.clock.seek(at_ns)
        self.folded = set(timeline.groups())
        self._timeline = timeline
        self.tab = Tab.SPAN
        self.notice = ""
        self.compressing = False
        self._marker: Marker | None = None
        self.results: Results | None = None
        self._hit: int | None = None
        self.bookmarks = read_bookmarks(run.path)
        self.path_shown = False
        self.path: PathOverlay | None = None
        self._journal: tuple[Entry, ...] | None = None
        self._diagnosis: tuple[Snapshot, Diagnosis | str] | None = None
        self._refold()
        self.selected = self._focus()

    @property
    def snapshot(self) -> Snapshot:
        """What is known of the run."""
        return self.run.snapshot

    @property
    def position_ns(self) -> int:
        """The playhead, an offset from the start of the run."""
        return self.clock.position_ns

    @property
    def selected_row(self) -> Row | None:
        """The row that the Span panel shows."""
        timeline = self._timeline
        return timeline.row(self.selected) if self.selected is not None and self.selected < len(timeline) else None

    def tick(self) -> None:
        """Once a frame while playing."""
        self.clock.tick()
        if self.snapshot.live and not self.clock.playing and self.position_ns >= self.clock.duration_ns:
            self.clock.follow()
        self.selected = self._focus()

    def toggle_play(self) -> None:
        """Play or pause."""
        self.notice = ""
        self.clock.toggle()

    def seek(self, position_ns: int) -> None:
        """The playhead goes there, and the selection to what was running then."""
        self.notice = ""
        self.clock.seek(position_ns)
        self.selected = self._focus()

    def go(self, found: Found) -> None:
        """To a place that was named; its row is selected and opened to."""
        self.clock.pause()
        if found.row is None:
            self.seek(found.offset_ns)
        else:
            self._go(found.row, found.offset_ns)

    def seek_share(self, share: float) -> None:
        """To a share of the whole, 0 to 1."""
        self.seek(round(self.clock.duration_ns * share))

    def step_time(self, by_ns: int = STEP_NS) -> None:
        """So much on or back, then paused."""
        self.notice = ""
        self.clock.step(by_ns)
        self.selected = self._focus()

    def step_span(self, by: int) -> None:
        """To the start of the next or previous span that is not folded away."""
        self.clock.pause()
        row = self._order.step(self.position_ns, self.selected, by)
        if row is None:
            self.notice = "No later span." if by > 0 else "No earlier span."
            return
        self._go(row, self._timeline.row(row).start_ns)

    def home(self) -> None:
        """To the start."""
        self.seek(0)

    def end(self) -> None:
        """To the end; a live run is followed from there."""
        self.seek(self.clock.duration_ns)
        if self.snapshot.live:
            self.clock.follow()

    def jump_error(self, by: int) -> None:
        """To the next or previous error."""
        self._jump(by, errors_only=True)

    def jump_marker(self, by: int) -> None:
        """To the next or previous model call, tool call, test or error."""
        self._jump(by, errors_only=False)

    def take_results(self, results: Results) -> None:
        """A search is done: to the first hit at or after the playhead, else to the first of all."""
        self.results, self._hit = results, None
        if not results.hits:
            self.notice = _nowhere(results)
            return
        at_ns = self.position_ns
        place = next((i for i, hit in enumerate(results.hits) if hit.offset_ns >= at_ns), 0)
        self._go_to_hit(place)

    def step_hit(self, by: int) -> None:
        """To the next or previous hit of the search."""
        results = self.results
        if results is None or not results.hits:
            self.notice = "Nothing was searched for yet: / does that." if results is None else _nowhere(results)
            return
        place = results.step(self.position_ns, by, self._hit)
        if place is None:
            self.notice = f"No {'later' if by > 0 else 'earlier'} hit of {results.query!r} ({results.count_words()})."
            return
        self._go_to_hit(place)

    def _go_to_hit(self, place: int) -> None:
        assert self.results is not None
        hit = self.results.hits[place]
        self.clock.pause()
        if hit.row is None or hit.row >= len(self._timeline):
            self.seek(hit.offset_ns)
        else:
            self._go(hit.row, hit.offset_ns)
        self._hit = place
        self.notice = f"{place + 1:,}/{self.results.count_words()}  {hit.where}: {hit.excerpt}"

    def journal(self) -> tuple[Entry, ...]:
        """What was noted while the run went on, by time."""
        if self._journal is None:
            self._journal = journal(self._timeline.spans, self.run.logs(), self.bookmarks)
        return self._journal

    @property
    def diagnosis(self) -> Diagnosis | str | None:
        """Why it ended so, or a sentence why that is unknown; None until then. Of a run that grew: the last known."""
        return self._diagnosis[1] if self._diagnosis else None

    @property
    def needs_diagnosis(self) -> bool:
        """Whether the open panel shows a diagnosis, and there is none of what is known now."""
        return self.tab is Tab.WHY and (self._diagnosis is None or self._diagnosis[0] is not self.snapshot)

    def take_diagnosis(self, snapshot: Snapshot, diagnosis: Diagnosis | str) -> None:
        """It was worked out, for one snapshot."""
        self._diagnosis = snapshot, diagnosis

    def bookmark_offset_ns(self, mark: Bookmark) -> int:
        """Where a bookmark is on the timeline's axis."""
        return min(max(mark.time_ns - self._timeline.start_ns, 0), self._timeline.duration_ns)

    def bookmark_here(self) -> Bookmark | None:
        """The bookmark at the playhead."""
        return next((mark for mark in self.bookmarks if self.bookmark_offset_ns(mark) == self.position_ns), None)

    def set_bookmark(self, note: str) -> None:
        """Marks the playhead; an empty note takes the mark there away. Raises StoreError."""
        here = self.bookmark_here()
        time_ns = here.time_ns if here else self._timeline.start_ns + self.position_ns
        # Read again: the same run may be open elsewhere.
        marks = with_bookmark(read_bookmarks(self.run.path), time_ns, note)
        write_bookmarks(self.run.path, marks)
        self.bookmarks, self._journal = marks, None
        self.notice = "Bookmarked; ' and \" go from one to the next." if self.bookmark_here() else "The bookmark is gone."

    def jump_bookmark(self, by: int) -> None:
        """To the next or previous bookmark."""
        at_ns = self.position_ns
        offsets = sorted(((self.bookmark_offset_ns(mark), mark) for mark in self.bookmarks), reverse=by < 0)
        found = next(((offset, mark) for offset, mark in offsets if (offset - at_ns) * by > 0), None)
        self.clock.pause()
        if found is None:
            self.notice = (
                f"No {'later' if by > 0 else 'earlier'} bookmark." if self.bookmarks else "There is no bookmark; m sets one."
            )
            return
        self.seek(found[0])
        self.notice = f"⚑ {found[1].note}" if found[1].note else "⚑"

    def faster(self) -> None:
        """The next speed up."""
        self.clock.faster()

    def slower(self) -> None:
        """The next speed down."""
        self.clock.slower()

    def toggle_idle(self) -> None:
        """Passes quickly over stretches in which nothing happened, or stops doing so."""
        self.compressing = not self.compressing
        self.notice = "Idle time is passed in 2 s." if self.compressing else "Idle time plays as it was."
        self.clock.compress_idle(find_idle(self._instants()) if self.compressing else IdleMap())

    def move_selection(self, by: int) -> None:
        """Up or down among the rows shown; the playhead stays."""
        if not self.visible:
            return
        place = self._place.get(self.selected, 0) if self.selected is not None else 0
        self.select(self.visible[min(max(place + by, 0), len(self.visible) - 1)])

    def select(self, row: int) -> None:
        """Selects a row; the playhead stays."""
        self.notice = ""
        self.selected = row

    def activate(self) -> None:
        """Opens or closes the selected row; the playhead goes to one that has nothing below."""
        row = self.selected_row
        if row is None:
            return
        if not row.has_children:
            self.clock.pause()
            self._go(row.index, row.start_ns)
            return
        self.folded ^= {row.index}
        self._refold()

    def set_folded(self, *, folded: bool) -> None:
        """Closes or opens the selected row; closing one that has nothing open selects its parent."""
        row = self.selected_row
        if row is None:
            return
        if row.has_children and (row.index in self.folded) != folded:
            self.folded ^= {row.index}
            self._refold()
        elif folded and row.parent >= 0:
            self.select(row.parent)

    def refresh(self) -> None:
        """The run has a new snapshot, in which the rows may have moved."""
        old, new = self._timeline, self.run.snapshot.timeline
        known = {old.key(row) for row in old.groups()}
        closed = {old.key(row) for row in self.folded}
        chosen = old.key(self.selected) if self.selected is not None else None
        self._timeline = new
        self.results = self._hit = self._journal = self.path = None  # rows may have moved, more may have been said
        keys = {new.key(row): row for row in range(len(new))}
        self.folded = {keys[key] for key in closed if key in keys}
        self.folded |= {row for row in new.groups() if new.key(row) not in known}
        self.clock.extend(new.duration_ns)
        following = self.clock.following
        if following and not self.snapshot.live:
            self.clock.pause()  # it is over, and this is its end
        self._refold()
        kept = keys.get(chosen) if chosen else None
        self.selected = self._focus() if following or kept is None else kept

    def _jump(self, by: int, *, errors_only: bool) -> None:
        self.clock.pause()
        marker = self._timeline.next_marker(self.position_ns, by, errors_only=errors_only, current=self._marker)
        if marker is None:
            what = "error" if errors_only else "marker"
            self.notice = f"No later {what}." if by > 0 else f"No earlier {what}."
            return
        self._go(marker.row, marker.offset_ns)
        self._marker = marker

    def _go(self, row: int, position_ns: int) -> None:
        self.notice = ""
        self.clock.seek(position_ns)
        closed = self.folded.intersection(self._timeline.ancestors(row))
        if closed:
            self.folded -= closed
            self._refold()
        self.selected = row

    def _focus(self) -> int | None:
        """What was going on at the playhead, or the closed row that hides it."""
        timeline = self._timeline
        row = timeline.focus_at(self.position_ns)
        if row is None or row in self._place:
            return row
        return next((above for above in timeline.ancestors(row) if above in self._place), None)

    def _refold(self) -> None:
        self.visible = self._timeline.visible(self.folded)
        self._place = {row: place for place, row in enumerate(self.visible)}
        self._order = self._timeline.order(self.visible)
        self._marker = None

    def place_of(self, row: int | None) -> int:
        """Where a row is among those shown; 0 when it is not."""
        return self._place.get(row, 0) if row is not None else 0

    def _instants(self) -> list[int]:
        timeline = self._timeline
        events, _, _, start_ns = self.run.terminal()
        output = [start_ns + round(event.time_s * 1e9) for event in events]
        rows = [timeline.row(row) for row in self._order.rows]
        return [0, timeline.duration_ns, *output, *(r.start_ns for r in rows), *(r.end_ns for r in rows)]


def _nowhere(results: Results) -> str:
    return f"{results.query!r} is nowhere in this run."
