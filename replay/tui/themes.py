"""The app's own two themes, and what other themes are given for the colours that only this app has."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

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
    },
)

#: for themes that do not know this app
DEFAULT_VARIABLES: Final = dict(DARK.variables)
