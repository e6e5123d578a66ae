"""Every key of the app, once: bindings, hints and the help screen are made from these tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType

from replay.session import Tab


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` as Textual names them, `shown` as people do. `hint` is its words in the bottom line, if it is shown there.

    `at_once`: before any pane sees the keys that follow, as it opens what they are typed into.
    """

    id: str
    keys: str
    shown: str
    action: str
    help: str
    hint: str = ""
    group: str = "Playback"
    at_once: bool = False

    def binding(self) -> Binding:
        """For Textual; the id lets users remap it."""
        return Binding(
            self.keys, self.action, self.help, show=False, id=f"cabtrace.{self.id}", system=False, priority=self.at_once
        )


TAB_KEYS = {
    Tab.SPAN: "s",
    Tab.CALLS: "c",
    Tab.MESSAGES: "e",
    Tab.DIFF: "d",
    Tab.SCORES: "r",
    Tab.LOGS: "l",
    Tab.WHY: "w",
}

REPLAY_KEYS = (
    Key("play", "space", "space", "play", "play or pause", "play"),
    Key("span.previous", "left", "←", "step_span(-1)", "previous span", "span"),
    Key("span.next", "right", "→", "step_span(1)", "next span"),
    Key("time.back", "comma", ",", "step_time(-1)", "100 ms back", "100 ms"),
    Key("time.forward", "full_stop", ".", "step_time(1)", "100 ms on"),
    Key("error.next", "n", "n", "jump_error(1)", "next error", "error", "Jump"),
    Key("error.previous", "N", "N", "jump_error(-1)", "previous error", "", "Jump"),
    Key(
        "marker.previous",
        "left_square_bracket",
        "[",
        "jump_marker(-1)",
        "previous model call, tool call, test or error",
        "marker",
        "Jump",
    ),
    Key("marker.next", "right_square_bracket", "]", "jump_marker(1)", "next model call, tool call, test or error", "", "Jump"),
    Key("share.back", "shift+left", "shift+←", "seek_by(-10)", "a tenth of the run back", "", "Jump"),
    Key("share.forward", "shift+right", "shift+→", "seek_by(10)", "a tenth of the run on", "", "Jump"),
    Key("search", "slash", "/", "search", "search spans, messages, logs and the screen", "search", "Search", at_once=True),
    Key("search.next", "ctrl+n", "ctrl+n", "step_hit(1)", "next hit; enter or ↓ while the search is open", "", "Search"),
    Key("search.previous", "ctrl+p", "ctrl+p", "step_hit(-1)", "previous hit; ↑ while the search is open", "", "Search"),
    Key("go", "g", "g", "go", "go to a time, a share, a call (#3), a span's id or name", "", "Search", at_once=True),
    Key("bookmark", "m", "m", "bookmark", "bookmark this moment with a note, or change the note", "", "Search", at_once=True),
    Key("bookmark.next", "apostrophe", "'", "jump_bookmark(1)", "next bookmark", "", "Search"),
    Key("bookmark.previous", "quotation_mark", '"', "jump_bookmark(-1)", "previous bookmark", "", "Search"),
    Key("home", "home", "home", "home", "start of the run", "", "Jump"),
    Key("end", "end", "end", "end", "end of the run; follows a live one", "", "Jump"),
    Key("speed.down", "less_than_sign", "<", "slower", "slower, down to 0.25×", "speed"),
    Key("speed.up", "greater_than_sign", ">", "faster", "faster, up to 64×"),
    Key("idle", "i", "i", "idle", "pass idle time quickly, or not"),
    Key("select.up", "up", "↑", "select(-1)", "row above", "", "Spans"),
    Key("select.down", "down", "↓", "select(1)", "row below", "", "Spans"),
    Key("select.page_up", "pageup", "page up", "select(-20)", "20 rows up", "", "Spans"),
    Key("select.page_down", "pagedown", "page down", "select(20)", "20 rows down", "", "Spans"),
    Key("fold", "enter", "enter", "activate", "open or close the row; go to a span that has nothing below", "fold", "Spans"),
    Key("path", "x", "x", "path", "mark what the run's length hangs on: the critical path", "", "Spans"),
    Key("fold.close", "minus", "-", "fold(True)", "close the row, or go to the one above it", "", "Spans"),
    Key("fold.open", "plus", "+", "fold(False)", "open the row", "", "Spans"),
    *(Key(f"tab.{t.name.lower()}", k, k, f"tab('{t.name}')", f"panel {t.value}", "", "Panels") for t, k in TAB_KEYS.items()),
    Key("tab.previous", "left_curly_bracket", "{", "next_tab(-1)", "previous panel", "", "Panels"),
    Key("tab.next", "right_curly_bracket", "}", "next_tab(1)", "next panel", "panel", "Panels"),
    Key(
        "focus",
        "tab",
        "tab",
        "app.focus_next",
        "to the next pane; ↑ ↓ choose a line there, enter goes to it",
        "",
        "Panels",
    ),
    Key("zoom", "z", "z", "zoom", "the focused pane alone, or all panes", "", "Panels"),
    Key("copy", "y", "y", "copy", "copy the panel", "", "Panels"),
    Key("copy.link", "Y", "Y", "copy_link", "copy the command that opens this moment", "", "Panels"),
    Key("pager", "o", "o", "pager", "open the panel in $PAGER", "", "Panels"),
    Key("palette", "colon", ":", "app.command_palette", "find an action by its name", "", "App"),
    Key("help", "question_mark", "?", "help", "this list", "keys", "App"),
    Key("back", "escape", "esc", "back", "the list of runs", "", "App"),
    Key("quit", "q", "q", "app.quit", "quit", "quit", "App"),
)

DIGIT_KEYS = tuple(
    Key(f"share.{digit}", str(digit), str(digit), f"seek_share({digit})", f"to {digit}0 % of the run", "", "Jump")
    for digit in range(10)
)

RUNS_KEYS = (
    Key("runs.up", "up", "↑", "move(-1)", "run above", "", "Runs"),
    Key("runs.down", "down", "↓", "move(1)", "run below", "select", "Runs"),
    Key("runs.page_up", "pageup", "page up", "move(-20)", "20 runs up", "", "Runs"),
    Key("runs.page_down", "pagedown", "page down", "move(20)", "20 runs down", "", "Runs"),
    Key("runs.home", "home", "home", "move(-1000000000)", "first run", "", "Runs"),
    Key("runs.end", "end", "end", "move(1000000000)", "last run", "", "Runs"),
    Key("runs.open", "enter", "enter", "open", "replay the run", "replay", "Runs"),
    Key("runs.filter", "slash", "/", "filter", "only runs with these words or letters", "filter", "Runs", at_once=True),
    Key("runs.failed", "f", "f", "failed", "only runs that failed, or all", "failed only", "Runs"),
    Key("runs.reload", "r", "r", "reload", "read the store again", "reload", "Runs"),
    Key("runs.palette", "colon", ":", "app.command_palette", "find an action by its name", "", "App"),
    Key("runs.help", "question_mark", "?", "help", "this list", "keys", "App"),
    Key("runs.quit", "q,escape", "q", "app.quit", "quit", "quit", "App"),
)


def bindings(*tables: Iterable[Key]) -> list[BindingType]:
    """For a screen's BINDINGS."""
    return [key.binding() for table in tables for key in table]
