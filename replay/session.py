"""What the user does with a run: one playhead, one selection, what is folded. The TUI maps keys to these methods, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from replay.bookmarks import Bookmark, read_bookmarks, with_bookmark, write_bookmarks
from replay.browsing import Browsing
from replay.finding import Sought, sought
from replay.idle import DEFAULT_LIMIT_NS, IdleMap, find_idle
from replay.journal import Entry, journal
from replay.search import Where

if TYPE_CHECKING:
    from cabtrace.diagnose.finding import Diagnosis
    from replay.document import Line
    from replay.path import PathOverlay
    from replay.places import Found
    from replay.run import ReplayRun, Snapshot
    from replay.search import Results

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


#: where a hit of a search can be read; what was on the screen is no panel's
_PANELS = {
    Where.NAME: Tab.SPAN,
    Where.ATTRIBUTE: Tab.SPAN,
    Where.EVENT: Tab.SPAN,
    Where.MESSAGE: Tab.MESSAGES,
    Where.LOG: Tab.LOGS,
}


class Session(Browsing):
    """State of one replay screen. `notice` is a sentence for the user about the last action, or ""."""

    def __init__(self, run: ReplayRun, now_ns: Callable[[], int], *, at_ns: int | None = None) -> None:
        """`at_ns`: where to begin, an offset from the start of the run; a live run is followed when it is None."""
        self.run = run
        self.now_ns = now_ns
        live = run.snapshot.live
        super().__init__(run.snapshot.timeline, now_ns, following=live and at_ns is None, at_ns=at_ns)
        self.tab = Tab.SPAN
        self.compressing = False
        self.results: Results | None = None
        self._hit: int | None = None
        self._sought: tuple[Results | None, int | None, Sought | None] = None, None, None
        self.bookmarks = read_bookmarks(run.path)
        self.path_shown = False
        self.path: PathOverlay | None = None
        self._journal: Sequence[Entry] | None = None
        self._diagnosis: tuple[Snapshot, Diagnosis | str] | None = None
        self.markdown = False
        self.opened: frozenset[str] = frozenset()
        self.patch: tuple[Snapshot, Sequence[Line]] | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What is known of the run."""
        return self.run.snapshot

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
        row = self.outline.step(self.position_ns, self.selected, by)
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
        if place is not None:
            self._go_to_hit(place)
            return
        place = 0 if by > 0 else len(results.hits) - 1
        only = len(results.hits) == 1 and self._hit is not None
        self._go_to_hit(place)
        if not only:
            end = "first" if by > 0 else "last"
            self.notice = f"wrapped to the {end} of {results.count_words()}  {_where_words(results, place)}"

    def end_search(self) -> None:
        """Nothing is marked any more."""
        self.results = self._hit = None
        self.notice = ""

    @property
    def sought(self) -> Sought | None:
        """What is to be marked, and the hit as long as the playhead is at it."""
        results, place = self.results, self._hit
        if results is not None and place is not None and results.hits[place].offset_ns != self.position_ns:
            place = None
        if self._sought[0] is not results or self._sought[1] != place:
            self._sought = results, place, sought(results, place)
        return self._sought[2]

    @property
    def sought_in_panel(self) -> Sought | None:
        """As `sought`, for the panel that is open."""
        found = self.sought
        if found is None or found.hit is None:
            return found
        is_there = _PANELS.get(found.hit.where) is self.tab and (self.tab is not Tab.SPAN or self.selected == found.hit.row)
        return found if is_there else found.words_only()

    @property
    def sought_on_screen(self) -> Sought | None:
        """As `sought`, for the terminal."""
        found = self.sought
        return found if found is None or found.hit is None or found.hit.where is Where.SCREEN else found.words_only()

    def _go_to_hit(self, place: int) -> None:
        assert self.results is not None
        hit = self.results.hits[place]
        self.clock.pause()
        self.tab = _PANELS.get(hit.where, self.tab)
        if hit.row is None or hit.row >= len(self._timeline):
            self.seek(hit.offset_ns)
        else:
            self._go(hit.row, hit.offset_ns)
        self._hit = place
        self.notice = _hit_words(self.results, place)

    def toggle_markdown(self) -> None:
        """Lays messages out as their markdown says, or shows them as they were sent."""
        self.markdown = not self.markdown
        self.notice = f"Markdown in messages is {'laid out; links stay words' if self.markdown else 'shown as it was sent'}."

    def toggle_part(self, part: str) -> None:
        """Opens or closes a part of a panel, by its name."""
        self.opened = self.opened ^ {part}

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

    def refresh(self) -> None:
        """The run has a new snapshot, in which the rows may have moved."""
        old, new = self._timeline, self.run.snapshot.timeline
        chosen = old.key(self.selected) if self.selected is not None else None
        self._timeline = new
        self.results = self._hit = self._journal = self.path = None  # rows may have moved, more may have been said
        self.outline = self.outline.of(new)
        self.clock.extend(new.duration_ns)
        self._window = self._window[0].of(new.duration_ns), self._window[1]
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

    def _instants(self) -> Iterator[int]:
        timeline = self._timeline
        output = self.run.output_instants_ns(DEFAULT_LIMIT_NS)
        return chain((0, timeline.duration_ns), output, timeline.columns.row_start, timeline.columns.row_stop)


def _hit_words(results: Results, place: int) -> str:
    return f"hit {place + 1:,} of {results.count_words()}  {_where_words(results, place)}"


def _where_words(results: Results, place: int) -> str:
    hit = results.hits[place]
    return f"{hit.where}: {hit.excerpt}"


def _nowhere(results: Results) -> str:
    return f"{results.query!r} is nowhere in this run."
