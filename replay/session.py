"""What the user does with a run: one playhead, one selection, what is folded. The TUI maps keys to these methods, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from replay.bookmarks import Bookmark, read_bookmarks, with_bookmark, write_bookmarks
from replay.clock import ReplayClock
from replay.folding import Folding, Visible
from replay.idle import DEFAULT_LIMIT_NS, IdleMap, find_idle
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
        self.now_ns = now_ns
        timeline = run.snapshot.timeline
        self.clock = ReplayClock(timeline.duration_ns, now_ns, following=run.snapshot.live and at_ns is None)
        if at_ns is not None:
            self.clock.seek(at_ns)
        self._timeline = timeline
        self.folded = Folding(timeline, timeline.groups())
        self.tab = Tab.SPAN
        self.notice = ""
        self.compressing = False
        self._marker: Marker | None = None
        self.results: Results | None = None
        self._hit: int | None = None
        self.bookmarks = read_bookmarks(run.path)
        self.path_shown = False
        self.path: PathOverlay | None = None
        self._journal: Sequence[Entry] | None = None
        self._diagnosis: tuple[Snapshot, Diagnosis | str] | None = None
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
    def visible(self) -> Visible:
        """The rows that are shown; another object after each change."""
        return self.folded.visible

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
        row = self.folded.step(self.position_ns, self.selected, by)
        if row is None:
            self.notice = "No later span." if by > 0 else "No earlier span."
            return
        self._go(row, self._timeline.start_of(row))

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
        """A search found something: to the first hit at or after the playhead, else to the first of all.

        What the same search finds later leaves the playhead where it is.
        """
        before, self.results = self.results, results
        if before is not None and not before.done and before.query == results.query and before.hits:
            told = self._hit is not None and self.notice == _hit_words(before, self._hit)
            self._hit = None if self._hit is None else results.place_of(before.hits[self._hit])
            if told and self._hit is not None:
                self.notice = _hit_words(results, self._hit)
            return
        self._hit = None
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
        self.notice = _hit_words(self.results, place)

    def journal(self) -> Sequence[Entry]:
        """What was noted while the run went on, by time."""
        if self._journal is None:
            self._journal = journal(self._timeline, self.run.logs(), self.bookmarks)
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
        self.select(self.visible[min(max(self.place_of(self.selected) + by, 0), len(self.visible) - 1)])

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
        self._toggle(row.index)

    def set_folded(self, *, folded: bool) -> None:
        """Closes or opens the selected row; closing one that has nothing open selects its parent."""
        row = self.selected_row
        if row is None:
            return
        if row.has_children and (row.index in self.folded) != folded:
            self._toggle(row.index)
        elif folded and row.parent >= 0:
            self.select(row.parent)

    def refresh(self) -> None:
        """The run has a new snapshot, in which the rows may have moved."""
        old, new = self._timeline, self.run.snapshot.timeline
        opened = {old.key(row) for row in old.groups() if row not in self.folded}
        closed = [old.key(row) for row in self.folded]
        chosen = old.key(self.selected) if self.selected is not None else None
        self._timeline = new
        self.results = self._hit = self._journal = self.path = None  # rows may have moved, more may have been said
        kept = [row for key in closed if (row := new.find(key)) is not None]
        self.folded = Folding(new, [*kept, *(row for row in new.groups() if new.key(row) not in opened)])
        self.clock.extend(new.duration_ns)
        following = self.clock.following
        if following and not self.snapshot.live:
            self.clock.pause()  # it is over, and this is its end
        self._marker = None
        again = new.find(chosen) if chosen else None
        self.selected = self._focus() if following or again is None else again

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
        if self.folded.reveal(row):
            self._marker = None
        self.selected = row

    def _focus(self) -> int | None:
        """What was going on at the playhead, or the closed row that hides it."""
        row = self._timeline.focus_at(self.position_ns)
        return None if row is None else self.folded.shown(row)

    def _toggle(self, row: int) -> None:
        self.folded.toggle(row)
        self._marker = None

    def place_of(self, row: int | None) -> int:
        """Where a row is among those shown; 0 when it is not."""
        return 0 if row is None else self.visible.place_of(row) or 0

    def _instants(self) -> Iterator[int]:
        timeline = self._timeline
        output = self.run.output_instants_ns(DEFAULT_LIMIT_NS)
        return chain((0, timeline.duration_ns), output, timeline.columns.row_start, timeline.columns.row_stop)


def _hit_words(results: Results, place: int) -> str:
    hit = results.hits[place]
    return f"{place + 1:,}/{results.count_words()}  {hit.where}: {hit.excerpt}"


def _nowhere(results: Results) -> str:
    return f"{results.query!r} is nowhere in this run."
