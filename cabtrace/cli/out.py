"""Printing: everything that was recorded passes through `safe` here, and markup is never parsed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cabtrace.text import SafeText, safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_PIPED_COLUMNS = 400


def console(*, stderr: bool = False) -> Console:
    """A console that takes plain objects only; piped, it is wide enough not to cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_COLUMNS
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width)


def cell(value: object, style: str = "") -> Text:
    """One line of recorded text."""
    from rich.text import Text

    return Text(safe(value, newlines=False), style=style, overflow="ellipsis", no_wrap=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Text]], *, right: Sequence[int] = ()) -> None:
    """A table without boxes; piped, columns are separated by two spaces at least."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console().print(table)


def print_json(value: Any) -> None:
    """One JSON document, in ASCII; JSON itself escapes every control character but one."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=True, default=str)
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


def say(text: str) -> None:
    """A line to stdout; what was recorded cannot make two of it."""
    sys.stdout.write(safe(text, newlines=False) + "\n")


def line(value: object, max_chars: int = 200) -> SafeText:
    """Recorded text as part of a line."""
    return safe(value, max_chars=max_chars, newlines=False)
