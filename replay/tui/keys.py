"""Every key of the app, once: bindings, hints and the help screen are made from these tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from textual.binding import Binding, BindingType
from textual.keys import format_key

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
    Key("go", "g", "g", "go", "go to a time, a share, a call (#3), a span's id, name or words", "", "Search", at_once=True),
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
    Key("go.selected", "G", "G", "go_to_selected", "to the start of the selected row, as a double click", "", "Spans"),
    Key("steps", "S", "S", "steps", "only steps (model calls, tool calls, tests, errors), or all spans", "steps", "Spans"),
    Key("path", "x", "x", "path", "mark what the run's length hangs on: the critical path", "", "Spans"),
    Key("fold.close", "left_parenthesis", "(", "fold(True)", "close the row, or go to the one above it", "", "Spans"),
    Key("fold.open", "right_parenthesis", ")", "fold(False)", "open the row", "", "Spans"),
    Key("fold.close_all", "underscore", "_", "fold_all(True)", "close all rows", "", "Spans"),
    Key("fold.open_all", "asterisk", "*", "fold_all(False)", "open all rows", "", "Spans"),
    Key("time.nearer", "plus,equals_sign", "+", "magnify(4.0)", "a quarter of it; also ctrl and wheel", "zoom", "Time in sight"),
    Key("time.farther", "minus", "-", "magnify(0.25)", "four times as much", "", "Time in sight"),
    Key("time.fit", "f", "f", "fit", "the time of the selected row", "", "Time in sight"),
    Key("time.whole", "F", "F", "whole", "the time of all of the run", "", "Time in sight"),
    *(
        Key(f"tab.{t.name.lower()}", k, k, f"tab('{t.name}')", f"panel {t.value}", "why" if t is Tab.WHY else "", "Panels")
        for t, k in TAB_KEYS.items()
    ),
    Key("markdown", "M", "M", "markdown", "lay out markdown in messages, or show it as it was sent", "", "Panels"),
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
    Key("rerun", "R", "R", "rerun", "run this cell again on its recorded answers", "", "Runs"),
    Key("against", "C", "C", "against", "side by side with the nearest passing run of its task", "", "Runs"),
    Key("zoom", "z", "z", "zoom", "the focused pane alone, or all panes", "", "Panels"),
    Key("copy", "y", "y", "copy", "copy the panel", "", "Panels"),
    Key("copy.link", "Y", "Y", "copy_link", "copy the command that opens this moment", "", "Panels"),
    Key("pager", "o", "o", "pager", "open the panel in $PAGER", "", "Panels"),
    Key("editor", "O", "O", "editor", "open the panel in $EDITOR", "", "Panels"),
    Key("palette", "colon", ":", "app.command_palette", "find an action by its name", "", "App"),
    Key("help", "question_mark", "?", "help", "this list", "keys", "App"),
    Key("back", "escape", "esc", "back", "the list of runs", "", "App"),
    Key("suspend", "ctrl+z", "ctrl+z", "app.suspend_process", "back to the shell; fg comes back", "", "App"),
    Key("quit", "q", "q", "app.quit", "quit", "quit", "App"),
)

DIGIT_KEYS = tuple(
    Key(f"share.{digit}", str(digit), str(digit), f"seek_share({digit})", f"to {digit}0 % of the run", "", "Jump")
    for digit in range(10)
)
COMPARE_DIGIT_KEYS = tuple(replace(key, id=f"compare.{key.id}") for key in DIGIT_KEYS)

COMPARE_KEYS = (
    Key("compare.play", "space", "space", "play", "play or pause", "play"),
    Key("compare.step.previous", "left", "←", "step(-1)", "previous step", "step"),
    Key("compare.step.next", "right", "→", "step(1)", "next step"),
    Key("compare.time.back", "comma", ",", "step_time(-1)", "100 ms back"),
    Key("compare.time.forward", "full_stop", ".", "step_time(1)", "100 ms on"),
    Key("compare.speed.down", "less_than_sign", "<", "slower", "slower, down to 0.25×"),
    Key("compare.speed.up", "greater_than_sign", ">", "faster", "faster, up to 64×"),
    Key("compare.difference.next", "n,right_square_bracket", "n ]", "jump(1)", "next difference", "difference", "Jump"),
    Key("compare.difference.previous", "N,left_square_bracket", "N [", "jump(-1)", "previous difference", "", "Jump"),
    Key("compare.parted", "f", "f", "parted", "to the first divergence", "parted", "Jump"),
    Key("compare.home", "home", "home", "seek_share(0)", "start of the run", "", "Jump"),
    Key("compare.end", "end", "end", "seek_share(10)", "end of the run", "", "Jump"),
    Key("compare.share.back", "shift+left", "shift+←", "seek_by(-10)", "a tenth of the run back", "", "Jump"),
    Key("compare.share.forward", "shift+right", "shift+→", "seek_by(10)", "a tenth of the run on", "", "Jump"),
    Key("compare.row.up", "up", "↑", "step(-1)", "step above", "", "Steps"),
    Key("compare.row.down", "down", "↓", "step(1)", "step below", "", "Steps"),
    Key("compare.row.page_up", "pageup", "page up", "step(-10)", "10 steps up", "", "Steps"),
    Key("compare.row.page_down", "pagedown", "page down", "step(10)", "10 steps down", "", "Steps"),
    Key("compare.side", "tab", "tab", "side", "keys act on the other run", "side", "Runs"),
    Key("compare.lock", "l", "l", "lock", "playheads move together, or each on its own", "lock", "Runs"),
    Key("compare.open", "enter", "enter", "open", "replay this side's run from here", "replay", "Runs"),
    Key("compare.notes", "d", "d", "notes", "read what differs, or go back to the steps", "details", "Runs"),
    Key("compare.copy", "y", "y", "copy", "copy what differs", "", "Runs"),
    Key("compare.copy.link", "Y", "Y", "copy_link", "copy the command that opens this comparison", "", "Runs"),
    Key("compare.palette", "colon", ":", "app.command_palette", "find an action by its name", "", "App"),
    Key("compare.help", "question_mark", "?", "help", "this list", "keys", "App"),
    Key("compare.back", "escape", "esc", "back", "back to where it was opened", "", "App"),
    Key("compare.suspend", "ctrl+z", "ctrl+z", "app.suspend_process", "back to the shell; fg comes back", "", "App"),
    Key("compare.quit", "q", "q", "app.quit", "quit", "quit", "App"),
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
    Key("runs.sort", "s", "s", "sort", "sort: failed first, newest, longest, most tokens, lowest composite", "sort", "Runs"),
    Key("runs.triage", "t", "t", "triage", "in groups by what went wrong, the biggest first, or as one list", "triage", "Runs"),
    Key("runs.fold.close", "minus", "-", "fold(True)", "close the group", "", "Runs"),
    Key("runs.fold.open", "plus", "+", "fold(False)", "open the group", "", "Runs"),
    Key("runs.compare", "c", "c", "compare", "mark a run; with two marked, show them side by side", "compare", "Runs"),
    Key("runs.against", "C", "C", "against", "side by side with the nearest passing run of its task", "", "Runs"),
    Key("runs.rerun", "R", "R", "rerun", "run the cell again on its recorded answers", "rerun", "Runs"),
    Key("runs.reload", "r", "r", "reload", "read the store again", "reload", "Runs"),
    Key("runs.palette", "colon", ":", "app.command_palette", "find an action by its name", "", "App"),
    Key("runs.help", "question_mark", "?", "help", "this list", "keys", "App"),
    Key("runs.back", "escape", "esc", "back", "all runs again, where only some are shown", "", "App"),
    Key("runs.suspend", "ctrl+z", "ctrl+z", "app.suspend_process", "back to the shell; fg comes back", "", "App"),
    Key("runs.quit", "q", "q", "app.quit", "quit", "quit", "App"),
)


TABLES: Final = {
    "replay": (*REPLAY_KEYS, *DIGIT_KEYS),
    "list of runs": RUNS_KEYS,
    "comparison": (*COMPARE_KEYS, *COMPARE_DIGIT_KEYS),
}

#: the keys of panes that have some of their own, by id
PANE_KEYS: Final = {
    "terminal": (
        Key("", "", "↑ ↓", "", "scroll a line"),
        Key("", "", "page ↑ ↓", "", "scroll a page"),
        Key("", "", "( )", "", "8 columns to the left, to the right, where ‹ or › say that there is more"),
        Key("", "", "ctrl+← →", "", "likewise, and so does shift with the wheel"),
    ),
    "document": (
        Key("", "", "↑ ↓", "", "to the line before or after that can be gone to; else scroll"),
        Key("", "", "enter", "", "the playhead goes to the instant of that line; ▸ opens, ▾ closes"),
        Key("", "", "J K", "", "next, previous section: a file, a message, an axis"),
        Key("", "", "j k", "", "likewise, and the parts of one: a hunk, a tool call"),
        Key("", "", "page ↑ ↓", "", "scroll a page"),
    ),
}
#: the keys of the line that one types into
PROMPT_KEYS: Final = tuple(
    Key("", "", shown, "", help, "", "While typing")
    for shown, help in (
        ("enter", "search, go, keep; in a search then the next hit"),
        ("↑", "the last words that were searched for, where there are none yet; then the previous hit"),
        ("↓", "the next hit"),
        ("ctrl+u", "start anew; enter on nothing ends the search"),
        ("ctrl+w", "without the last word"),
        ("esc", "close the line; what was found stays marked"),
    )
)
DIGITS: Final = Key("", "", "0 … 9", "", "to so many tenths of the run", "", "Jump")


def bindings(*tables: Iterable[Key]) -> list[BindingType]:
    """For a screen's BINDINGS."""
    return [key.binding() for table in tables for key in table]


def shown_keys(app: object, keys: Sequence[Key]) -> tuple[Key, ...]:
    """Keys as the user has them: those that the keymap of the app changes, changed."""
    keymap = getattr(app, "remapped", {})
    return tuple(
        replace(key, keys=",".join(names), shown=" ".join(map(shown_key, names))) if (names := keymap.get(key.id)) else key
        for key in keys
    )


def tab_letter(app: object, tab: Tab) -> str:
    """The key that opens a panel, as the user has it."""
    names = getattr(app, "remapped", {}).get(f"tab.{tab.name.lower()}")
    return names[0] if names else TAB_KEYS[tab]


def shown_key(name: str) -> str:
    """A key as people read it: `ctrl+n`, `?`, `↑`."""
    *modifiers, base = name.split("+")
    return "+".join([*modifiers, "enter" if base == "enter" else format_key(base)])
