"""A line that stands for a stretch of time: click or drag on it to go there, turn the wheel to step or to zoom."""

from __future__ import annotations

from textual import events
from textual.message import Message

from replay.tui.widgets.lines import Toned
from replay.window import Window

_STEPS = 50  # turns of the wheel from one end to the other
_LEAST = 8  # cells; a shorter track is none


class Pointed(Toned):
    """The base of such lines. They say which stretch it is, and set `track`: where it begins, and its width, both in cells."""

    class Moved(Message):
        """The user wants the playhead at an instant, an offset from the start of the run."""

        def __init__(self, offset_ns: int) -> None:
            super().__init__()
            self.offset_ns = offset_ns

    class Turned(Message):
        """The user turned the wheel: so many ns on, back if negative."""

        def __init__(self, by_ns: int) -> None:
            super().__init__()
            self.by_ns = by_ns

    class Zoomed(Message):
        """The user wants to see so many times less time; more, if below 1."""

        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

    class Hovered(Message):
        """The mouse is over something, of which this is what there is to say; "" when it is not any more."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    track = 0, 0
    _dragging = False
    _told = ""

    @property
    def window(self) -> Window:
        """The stretch of time."""
        raise NotImplementedError

    def told(self, cell: int, width: int) -> str:
        """What there is to say of a cell."""
        raise NotImplementedError

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Goes there, and starts to drag."""
        self._dragging = True
        self.capture_mouse()
        self._point(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drags, or says what is there."""
        if self._dragging:
            self._point(event.x)
        at, width = self.track
        self._say(self.told(event.x - at, width) if width >= _LEAST and at <= event.x < at + width else "")

    def on_mouse_up(self) -> None:
        """Lets go."""
        self._dragging = False
        self.release_mouse()

    def on_leave(self) -> None:
        """Nothing is pointed at any more."""
        self._say("")

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """On; with control farther."""
        self._turn(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Back; with control nearer."""
        self._turn(event, -1)

    def _turn(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        if event.ctrl:
            self.post_message(self.Zoomed(2.0**-by))
        else:
            self.post_message(self.Turned(by * max(self.window.length_ns // _STEPS, 1)))

    def _say(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self.post_message(self.Hovered(text))

    def _point(self, x: int) -> None:
        at, width = self.track
        if width > 1:
            self.post_message(self.Moved(self.window.share((x - at) / (width - 1))))
