"""The recorded terminal at the playhead."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from cabtrace.text import safe
from replay.document import Piece, Tone, words
from replay.engine_answers import EngineBusyError
from replay.finding import Sought, mark_runs, row_of
from replay.sight import Sight, sight
from replay.tui.widgets.lines import Toned

if TYPE_CHECKING:
    from cabtrace.protocols import Run
    from replay.screen import Screen, TerminalTape

_PATIENCE_S: Final = 2.0  # a screen takes some milliseconds; a key waits no longer than this even where nothing is well
_LITTLE_PATIENCE_S: Final = 0.05  # once that was in vain
_AGAIN_S: Final = 0.1
_PAN: Final = 8
_MORE_LEFT, _MORE_RIGHT = words("‹", Tone.NOW), words("›", Tone.NOW)
_NO_STYLE: Final = Style()


class TerminalPane(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """Rows of the screen engine, drawn as they were; what has no room is marked as cut. See `sight` for what is in sight."""

    BINDINGS: ClassVar = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("ctrl+left,left_parenthesis", f"pan({-_PAN})", show=False),
        Binding("ctrl+right,right_parenthesis", f"pan({_PAN})", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="terminal")
        self._screen: Screen | None = None
        self._styles: dict[tuple[object, ...], Style] = {}
        self._note: list[Piece] = [words("  opening the recording …", Tone.DIM)]
        self._title = "Terminal"
        self.border_title = Content(self._title)
        self._waiting: Timer | None = None
        self._tape: TerminalTape | None = None
        self._sought: Sought | None = None
        self._hit: tuple[int, tuple[int, int]] | None = None
        self._sight = Sight()
        self._held: int | None = None  # the first column of all rows, where the user chose it

    def show_tape(self, tape: TerminalTape, offset_ns: int, *, name: str, note: str) -> None:
        """Draws what a recording showed at an instant, or says why not. `note` is said of all of it."""
        from replay.screen import UnknownScreenError

        patience_s = _PATIENCE_S if self._waiting is None else _LITTLE_PATIENCE_S
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        self._tape = tape
        if not len(tape):
            self.show_note("This run has no terminal recording.")
            return
        if not tape.is_near(offset_ns):
            self.show_note(f"reading the recording … {tape.share:.0%}")
            return
        try:
            screen = tape.at(offset_ns, patience_s)
        except UnknownScreenError as error:
            self.show_note(str(error))
        except EngineBusyError:
            self.show_note("The terminal engine is at work …")
            self._waiting = self.set_timer(_AGAIN_S, lambda: self.show_tape(tape, offset_ns, name=name, note=note))
        else:
            title = name or f"Terminal {screen.columns}x{screen.rows}"
            self.show_screen(screen, title=" – ".join(part for part in (title, note, screen.note) if part))

    def show_note(self, note: str) -> None:
        """A sentence instead of a screen."""
        pieces = [words("  "), words(note, Tone.DIM)]
        if self._screen is not None or pieces != self._note:
            self._screen, self._note = None, pieces
            self.refresh()

    def show_screen(self, screen: Screen, *, title: str) -> None:
        """Draws a screen; does nothing when it is the one that is shown."""
        if title != self._title:  # Textual draws all of the widget for it
            self._title, self.border_title = title, Content(title)
        before, hit_before, slid_before = self._screen, self._hit, self._sight.slid
        if before is not None and before.events == screen.events and before.columns == screen.columns:
            return
        self._screen = screen
        size = Size(screen.columns, screen.rows)
        if self.virtual_size != size:
            self.virtual_size = size
            self.call_after_refresh(self._place)  # a scrollbar that comes or goes leaves another width
        self._find()
        self._place()
        if before is None or len(before.lines) != len(screen.lines) or slid_before != self._sight.slid:
            self.refresh()
            return
        top = round(self.scroll_offset.y)
        changed = {c[1] for c in (before.cursor, screen.cursor) if c} | {hit[0] for hit in (hit_before, self._hit) if hit}
        for y, (old, new) in enumerate(zip(before.lines, screen.lines, strict=True)):
            if (old is not new and old != new) or y in changed:
                self.refresh_line(y) if y >= top else None

    def on_unmount(self) -> None:
        """Nobody looks at the recording any more."""
        if self._tape is not None:
            self._tape.close()

    def on_resize(self) -> None:
        """There is room for another part."""
        self._place()

    def show_search(self, sought: Sought | None) -> None:
        """Marks the words of a search, and brings the hit in sight."""
        if sought != self._sought:
            self._sought = sought
            self._find()
            self._place()
            self.refresh()

    def _find(self) -> None:
        screen, sought = self._screen, self._sought
        self._hit = None
        if screen is not None and sought is not None and (found := row_of(screen.lines, sought)) is not None:
            row, (first, last) = found
            text = "".join(run.text for run in screen.lines[row])
            self._hit, self._held = (row, (cell_len(text[:first]), cell_len(text[:last]))), None

    def _place(self) -> None:
        """Scrolls to the part that is to be seen; Textual would not before it has laid out the widget anew, hence `force`."""
        if self._screen is None or not self.container_size.height:
            return
        screen, (width, height) = self._screen, self.container_size
        width -= self.styles.scrollbar_size_vertical * (screen.rows > height)
        self._sight = sight(screen, width, height, self._hit)
        self.scroll_to(self._held or 0, self._sight.top, animate=False, force=True)

    def action_pan(self, by: int) -> None:
        """Other columns of all rows, until the user is back at the first one, or goes to a hit of a search."""
        if self._screen is not None:
            left = min(max((self._held or 0) + by, 0), self.max_scroll_x)
            if (left or None) != self._held:
                self._held = left or None
                self.scroll_to(x=left, animate=False, force=True)
                self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Shift and the wheel."""
        self._pan_by_wheel(event, _PAN, aside=event.shift or event.ctrl)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Shift and the wheel."""
        self._pan_by_wheel(event, -_PAN, aside=event.shift or event.ctrl)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """A wheel that goes sideways."""
        self._pan_by_wheel(event, _PAN, aside=True)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """A wheel that goes sideways."""
        self._pan_by_wheel(event, -_PAN, aside=True)

    def _pan_by_wheel(self, event: events.MouseEvent, by: int, *, aside: bool) -> None:
        if aside:
            self.action_pan(by)
            event.stop()
            event.prevent_default()

    def render_line(self, y: int) -> Strip:
        """Draws one row."""
        width = self.scrollable_content_region.width
        screen = self._screen
        if screen is None:
            return self.strip(self._note if y == min(1, self.size.height - 1) else [], width)
        row = y + round(self.scroll_offset.y)
        if row >= len(screen.lines):
            return Strip.blank(width, self.rich_style)
        base = self.rich_style
        strip = Strip(self._segments(screen, row, base))
        if screen.cursor and screen.cursor[1] == row:
            strip = _with_cursor(strip, screen.cursor[0], base)
        left = self._sight.slid.get(row, 0) if self._held is None else self._held
        shown = strip.crop_extend(left, left + width, base)
        if left and strip.crop(0, left).text.strip():
            shown = Strip.join([self.strip([_MORE_LEFT], 1), shown.crop(1, width)])
        if strip.cell_length > left + width and strip.crop(left + width, strip.cell_length).text.strip():
            shown = Strip.join([shown.crop(0, width - 1), self.strip([_MORE_RIGHT], 1)])
        return shown

    def _segments(self, screen: Screen, row: int, base: Style) -> list[Segment]:
        runs, sought = screen.lines[row], self._sought
        spans = sought.spans("".join(run.text for run in runs)) if sought is not None else ()
        if not spans:
            return [Segment(run.text, base + self._style(run)) for run in runs]
        marked = self.tone(Tone.HERE if self._hit is not None and self._hit[0] == row else Tone.FOUND)
        parts = mark_runs(runs, spans)
        return [Segment(run.text, base + self._style(run) + (marked if found else _NO_STYLE)) for run, found in parts]

    def _style(self, run: Run) -> Style:
        key = (run.foreground, run.background, run.bold, run.dim, run.italic, run.underline, run.reverse, run.strike)
        style = self._styles.get(key)
        if style is None:
            if len(self._styles) > 4096:
                self._styles.clear()
            style = self._styles[key] = Style(
                color=_color(run.foreground),
                bgcolor=_color(run.background),
                bold=run.bold or None,
                dim=run.dim or None,
                italic=run.italic or None,
                underline=run.underline or None,
                reverse=run.reverse or None,
                strike=run.strike or None,
            )
        return style


def _color(rgb: int | None) -> Color | None:
    return None if rgb is None else Color.from_rgb(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255)


def _with_cursor(strip: Strip, column: int, base: Style) -> Strip:
    padded = strip.adjust_cell_length(max(strip.cell_length, column + 1), base)
    cell = padded.crop(column, column + 1)
    under = Strip([Segment(s.text or " ", (s.style or base) + Style(reverse=True)) for s in cell] or [Segment(safe(" "), base)])
    return Strip.join([padded.crop(0, column), under, padded.crop(column + 1, padded.cell_length)])
