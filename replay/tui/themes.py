"""The app's own two themes, what other themes get for the colours that only this app has, and how a tone looks in a theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

from replay.document import Tone

DARK: Final = Theme(
    name="cabtrace-dark",
    primary="#6cb6ff",
    secondary="#b692f6",
    accent="#f0b429",
    foreground="#d1d9e3",
    background="#0d1117",
    surface="#11161d",
    panel="#1c2430",
    success="#6bc46d",
    warning="#e0a63a",
    error="#f47067",
    dark=True,
    variables={
        "cab-dim": "#6e7b8b",
        "cab-strong": "#ffffff",
        "cab-tool": "#56c7d0",
        "cab-harness": "#5b8fc7",
        "cab-score": "#9fb86a",
        "cab-select": "#223248",
        "cab-line": "#2a3442",
        "cab-track": "#2a3442",
    },
)

LIGHT: Final = Theme(
    name="cabtrace-light",
    primary="#0a5fc2",
    secondary="#7a3fd0",
    accent="#b25c00",
    foreground="#24292f",
    background="#ffffff",
    surface="#fbfcfd",
    panel="#e8edf2",
    success="#1a7f37",
    warning="#8f5e00",
    error="#c4202b",
    dark=False,
    variables={
        "cab-dim": "#68727d",
        "cab-strong": "#000000",
        "cab-tool": "#0b7285",
        "cab-harness": "#3a6ea5",
        "cab-score": "#52701d",
        "cab-select": "#d6e6fa",
        "cab-line": "#d0d7de",
        "cab-track": "#2a3442",
    },
)

#: What terminals of fewer colours make of the themes is not always legible: there these colours stand for theirs, all of them
#: such as the terminal has. By the name that Rich has for the number of colours, then by theme.
_FEWER: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "256": {
        DARK.name: {
            "panel": "#262626",
            "surface": "#1c1c1c",
            "cab-dim": "#949494",
            "cab-select": "#3a3a3a",
            "cab-line": "#444444",
            "cab-track": "#444444",
        },
        LIGHT.name: {"panel": "#e4e4e4", "surface": "#ffffff", "cab-dim": "#626262", "cab-track": "#444444"},
    },
    "standard": {
        DARK.name: {
            "background": "#000000",
            "surface": "#000000",
            "panel": "#000000",
            "foreground": "#aaaaaa",
            "primary": "#55ffff",
            "secondary": "#ff55ff",
            "accent": "#ffff55",
            "success": "#55ff55",
            "warning": "#ffff55",
            "error": "#ff5555",
            "cab-dim": "#aaaaaa",
            "cab-tool": "#55ffff",
            "cab-harness": "#00aaaa",
            "cab-score": "#55ff55",
            "cab-select": "#0000aa",
            "cab-line": "#555555",
            "cab-track": "#aaaaaa",
        },
        LIGHT.name: {
            "background": "#ffffff",
            "surface": "#ffffff",
            "panel": "#ffffff",
            "foreground": "#000000",
            "primary": "#0000aa",
            "secondary": "#aa00aa",
            "accent": "#aa0000",
            "success": "#00aa00",
            "warning": "#aa5500",
            "error": "#aa0000",
            "cab-dim": "#000000",
            "cab-tool": "#0000aa",
            "cab-harness": "#0000aa",
            "cab-score": "#aa5500",
            "cab-select": "#aaaaaa",
            "cab-line": "#aaaaaa",
            "cab-track": "#aaaaaa",
        },
    },
}

#: for themes that do not know this app
DEFAULT_VARIABLES: Final = dict(DARK.variables)

#: tone -> the theme's variable for its colour, and whether it is bold. Each of them also differs by a sign or a word.
_TONES: Final = {
    Tone.TEXT: ("foreground", False),
    Tone.DIM: ("cab-dim", False),
    Tone.HEAD: ("primary", True),
    Tone.KEY: ("primary", False),
    Tone.STRONG: ("cab-strong", True),
    Tone.GOOD: ("success", True),
    Tone.BAD: ("error", True),
    Tone.WARN: ("warning", False),
    Tone.ADDED: ("success", False),
    Tone.REMOVED: ("error", False),
    Tone.HUNK: ("secondary", False),
    Tone.MODEL: ("secondary", False),
    Tone.TOOL: ("cab-tool", False),
    Tone.HARNESS: ("cab-harness", False),
    Tone.SCORE: ("cab-score", False),
    Tone.NOW: ("accent", True),
    Tone.FOUND: ("accent", True),
    Tone.HERE: ("accent", True),
}


_PLAIN: Final = Style()
#: what tells words that were searched for from others, also without colours
_MARKED: Final = {Tone.FOUND: Style(underline=True), Tone.HERE: Style(underline=True, reverse=True)}


def fitted(theme: Theme, color_system: str | None) -> Theme:
    """The theme for a terminal of so many colours, as Rich names them: `truecolor`, `256`, `standard`; None where it has none."""
    colors = _FEWER.get(color_system or "", {}).get(theme.name, {})
    own = {name: color for name, color in colors.items() if name in theme.variables}
    made = replace(theme, variables={**theme.variables, **own})
    for name in colors.keys() - own.keys():
        setattr(made, name, colors[name])
    return made


def tone_styles(variables: Mapping[str, str]) -> dict[Tone, Style]:
    """The style of each tone, without a background, in a theme of these variables."""
    return {
        tone: Style(color=Color.parse(variables[name]).rich_color, bold=bold or None) + _MARKED.get(tone, _PLAIN)
        for tone, (name, bold) in _TONES.items()
    }
