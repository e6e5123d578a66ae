"""What the app remembers of its user: a TOML file of a line for each thing, beside the keymap. Never in the way of the app."""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from pathlib import Path
from typing import Final

THEMES: Final = ("dark", "light")
_MOST_BYTES: Final = 64 * 1024
_THEME_LINE: Final = re.compile(r"^theme[ \t]*=.*$", re.MULTILINE)


def chosen_theme(path: Path) -> str | None:
    """The theme that was chosen before; None where there is no such file, or none that makes sense."""
    try:
        with path.open("rb") as file:
            content = tomllib.loads(file.read(_MOST_BYTES).decode())
    except (OSError, ValueError, RecursionError):
        return None
    theme = content.get("theme")
    return theme if theme in THEMES else None


def remember_theme(path: Path, theme: str) -> bool:
    """Keeps the choice, and whatever else the file says; False where it cannot be written."""
    line = f'theme = "{theme}"'
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text("utf-8") if path.exists() else ""
        after = _THEME_LINE.sub(line, before, count=1) if _THEME_LINE.search(before) else f"{line}\n{before}"
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_text(after, "utf-8")
            beside.replace(path)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()
    except (OSError, UnicodeDecodeError):
        return False
    return True
