"""One line to type into, in the place of the key hints: search, go to, bookmark, filter. Shows only safe text."""

from __future__ import annotations

from enum import StrEnum

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from cabtrace.text import safe
from replay.document import Piece, Tone, words
from replay.tui.widgets.lines import Toned

_MOST_CHARS = 200


class Ask(StrEnum):
    """What is asked for; the value is shown before the words."""

    SEARCH = "/"
    GO = "go to"
    NOTE = "bookmark"
    FILTER = "filter"
    FOLDER = "the task's folder"


def opens_prompt(action: str) -> bool:
    """Whether an action of a screen opens its prompt; its key is a letter like others while it is open."""
    return action in ("search", "go", "bookmark", "filter")


class Prompt(Toned, can_focus=True):
    """Hidden until it asks. Enter submits, escape closes, ↑ ↓ step."""

    class Submitted(Message):
        """Enter was pressed. `again` when the words are those of the last time."""

        def __init__(self, ask: Ask, text: str, *, again: bool) -> None:
            super().__init__()
            self.ask = ask
            self.text = text
            self.again = again

    class Changed(Message):
        """Something was typed."""

        def __init__(self, ask: Ask, text: str) -> None:
            super().__init__()
            self.ask = ask
            self.text = text

    class Stepped(Message):
        """Up (-1) or down (1)."""

        def __init__(self, ask: Ask, by: int) -> None:
            super().__init__()
            self.ask = ask
            self.by = by

    class Closed(Message):
        """Escape was pressed, or the line was left."""

        def __init__(self, ask: Ask) -> None:
            super().__init__()
            self.ask = ask

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self._ask = Ask.SEARCH
        self._text = ""
        self._submitted: str | None = None
        self._aside = ""
        self._offered = "", False
        self.display = False

    @property
    def text(self) -> str:
        """What was typed so far."""
        return self._text

    def ask(self, ask: Ask, text: str = "", aside: str = "") -> None:
        """Opens with words to begin with; `aside` says what is expected."""
        self._ask, self._text, self._aside, self._submitted = ask, text[:_MOST_CHARS], aside, None
        self._offered = "", False
        self.display = True
        self.screen.set_focus(self)  # now: the next key may be here already
        self.refresh()

    def offer(self, text: str, *, searched: bool) -> None:
        """Earlier words, which ↑ brings back as long as there are none; `searched`: enter on them is one more, not the first."""
        self._offered = text, searched

    def say(self, aside: str) -> None:
        """Shows a sentence behind the words."""
        self._aside = aside
        self.refresh()

    def close(self) -> None:
        """Hides it and gives the focus back."""
        self.display = False
        self.post_message(self.Closed(self._ask))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters are typed here instead of being keys of the screen."""
        return character is not None and character.isprintable()

    async def _on_key(self, event: events.Key) -> None:
        taken = True
        match event.key:
            case "enter":
                self.post_message(self.Submitted(self._ask, self._text, again=self._text == self._submitted))
                self._submitted = self._text
            case "up" if self._offered[0] and not self._text:
                text, searched = self._offered
                self._type(text)
                self._submitted = self._text if searched else None
            case "shift+enter" | "up":
                self.post_message(self.Stepped(self._ask, -1))
            case "down":
                self.post_message(self.Stepped(self._ask, 1))
            case "escape":
                self.close()
            case "backspace" | "ctrl+h":
                self._type(self._text[:-1])
            case "ctrl+u":
                self._type("")
            case "ctrl+w":
                self._type(self._text.rstrip().rpartition(" ")[0])
            case _ if event.is_printable and event.character:
                self._type(self._text + event.character)
            case _:
                taken = False
        if taken:
            event.stop()
            event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._type(self._text + event.text.split("\n", 1)[0])

    def _type(self, text: str) -> None:
        self._text = "".join(c for c in text if c.isprintable())[:_MOST_CHARS]
        self._submitted = None
        self.post_message(self.Changed(self._ask, self._text))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it; the end of what was typed stays in sight."""
        width = self.size.width
        lead: list[Piece] = [words(f" {self._ask.value} ", Tone.KEY)]
        shown = safe(self._text, newlines=False)
        room = max(width - cell_len(lead[0][0]) - 2, 1)
        while cell_len(shown) > room:
            shown = shown[1:]
        aside = safe(self._aside, max_chars=400, newlines=False)
        return self.strip([*lead, (shown, Tone.STRONG), words("▏", Tone.NOW), words(f"  {aside}", Tone.DIM)], width)
