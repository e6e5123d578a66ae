"""The help screen: every key, grouped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen

from replay.document import Line, Tone, heading, line, pad, words
from replay.tui.keys import Key
from replay.tui.widgets.details import DocumentView


class HelpScreen(ModalScreen[None]):
    """Lists keys; any of them that closes a window closes it."""

    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,space,enter", "close", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
    ]

    def __init__(self, keys: Sequence[Key], pane: str = "", pane_keys: Sequence[Key] = ()) -> None:
        """`pane_keys` are those of the focused pane, whose name is `pane`."""
        super().__init__()
        own = (replace(key, group=f"The focused pane: {pane}") for key in pane_keys)
        self._lines = list(help_lines([*own, *keys]))

    def compose(self) -> ComposeResult:
        """One document."""
        view = DocumentView(id="help")
        view.border_title = Content("Keys")
        view.border_subtitle = Content("esc closes")
        yield view

    def on_mount(self) -> None:
        """As high as its text."""
        view = self.query_one(DocumentView)
        view.styles.height = len(self._lines) + 2
        view.show(self._lines, from_top=True)

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Where the terminal is too low for all keys."""
        self.query_one(DocumentView).scroll_relative(y=by, animate=False)


def help_lines(keys: Sequence[Key]) -> Iterator[Line]:
    """Key and words, by group, in the order of the table."""
    groups: dict[str, list[Key]] = {}
    for key in keys:
        groups.setdefault(key.group, []).append(key)
    for group, members in groups.items():
        yield heading(group)
        for key in members:
            yield line(words(pad(f"  {key.shown}", 12), Tone.KEY), words(key.help), indent=12)
