"""Writes docs/cli.md from the commands' own help. `python docs/generate.py --check` fails where it is out of date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cabtrace.cli.main import cli

TARGET = Path(__file__).parent / "cli.md"
HEAD = "# Commands\n\nGenerated from the commands' own help by `docs/generate.py`.\n"


def pages(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """(name, help text) of a command and everything below it."""
    context = click.Context(command, info_name=name if parent is None else name.split()[-1], parent=parent, max_content_width=100)
    context.terminal_width = 100
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            if found is not None:
                yield from pages(found, f"{name} {sub}", context)


def render() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n## {name}\n\n```text\n{text}\n```\n" for name, text in pages(cli, "cabtrace"))


def main(argv: list[str]) -> int:
    """Writes or checks."""
    text = render()
    if "--check" in argv:
        return 0 if TARGET.exists() and TARGET.read_text("utf-8") == text else 1
    TARGET.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
