"""A message as lines: what was said, thought, asked of tools and answered by them. What is long is cut, and opens."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from rich.cells import cell_len

from cabtrace.text import safe
from replay import display
from replay.document import Line, Tone, fit, line, one_row, paragraphs, words
from replay.markdown import markdown_lines

_PART_CHARS = 32 * 1024
_ROWS = 3  # of a message that is not opened
_COMMANDS = frozenset({"command", "cmd", "script", "code"})
_SHELL_FLAGS = frozenset({"-c", "-lc"})

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """How messages are read: markdown laid out or as it was sent, which parts are open (None: all of them), for what width."""

    markdown: bool = False
    opened: Collection[str] | None = field(default_factory=frozenset)
    width: int = 100

    def is_open(self, part: str) -> bool:
        """Whether all of a part is shown."""
        return self.opened is None or part in self.opened


def role_of(message: object) -> str:
    """The role, `?` where there is none."""
    return str(message.get("role", "?")) if isinstance(message, Mapping) else "?"


def parts_of(message: object) -> list[Any]:
    """The parts. A message is as found on disk: what should be a list may be anything."""
    parts = message.get("parts") if isinstance(message, Mapping) else message
    return list(parts) if isinstance(parts, list | tuple) else [] if parts is None else [parts]


def message_lines(message: Message, reading: Reading, *, part: str = "", answer: bool = False, note: str = "") -> Iterator[Line]:
    """A message: its role and a `note` on it, then its parts. `part` names it, if it may be cut until that is opened."""
    role = role_of(message)
    tone = Tone.MODEL if answer or role == "assistant" else Tone.TOOL if role == "tool" else Tone.HARNESS
    yield line(words(("◀ " if answer else "▌ ") + role, tone), words(f"  {note}" if note else "", Tone.WARN), level=1)
    body = (row for one in parts_of(message) for row in _part_lines(one, reading))
    yield from _first_rows(body, reading, part) if part and not reading.is_open(part) else body
    if part and reading.opened is not None and part in reading.opened:
        yield line(words("  ▾ less", Tone.KEY), opens=part)
    yield Line()


def folded_line(title: str, size: int, preview: str, part: str, reading: Reading, *, unit: str = "characters") -> Line:
    """One line for what is long and seldom read; choosing it opens it."""
    sign = "▾ " if reading.is_open(part) else "▸ "
    pieces = words(sign, Tone.KEY), words(title, Tone.HARNESS), words(f"  {size:,} {unit}  ", Tone.DIM)
    return one_row(line(*pieces, words(preview[:400].strip(), Tone.DIM), opens=part, level=1), reading.width)


def size_of(message: object) -> tuple[int, str]:
    """How many characters a message has, and its first words."""
    texts = [_plain(one) for one in parts_of(message)]
    return sum(map(len, texts)), next((text for text in texts if text.strip()), "")


def _plain(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        for key in ("content", "response", "result", "arguments"):
            if (value := part.get(key)) is not None:
                return value if isinstance(value, str) else pretty(value)
    return pretty(part)


def _first_rows(lines: Iterable[Line], reading: Reading, part: str) -> Iterator[Line]:
    """The first rows and the last line, which in an output says how it ended."""
    room, width = _ROWS, max(reading.width, 8)
    rest: list[Line] = []
    for one in lines:
        rows = max(-(-cell_len(one.text) // width), 1)
        if not rest and rows <= room:
            yield one
            room -= rows
            continue
        if not rest and room:  # one long line
            cut = one_row(one, width * room)
            yield Line(cut.pieces, one.indent)
            room = 0
        rest.append(one)
    if not rest:
        return
    more = len(rest) - 1 or 1
    yield line(words(f"  ▸ {more:,} more line{'s' if more > 1 else ''}", Tone.KEY), opens=part)
    if len(rest) > 1:
        yield one_row(rest[-1], width)


def _text_lines(text: str, reading: Reading, tone: Tone = Tone.TEXT, indent: int = 2) -> Iterator[Line]:
    text = text.rstrip("\n")
    if reading.markdown and tone is Tone.TEXT:
        return markdown_lines(text, max_chars=_PART_CHARS, indent=indent)
    return paragraphs(text, tone, max_chars=_PART_CHARS, indent=indent)


def _part_lines(part: Any, reading: Reading) -> Iterator[Line]:
    if not isinstance(part, Mapping):
        yield from _text_lines(part if isinstance(part, str) else pretty(part), reading)
        return
    match part.get("type"):
        case "text":
            yield from _text_lines(str(part.get("content", "")), reading)
        case "reasoning" | "thinking":
            yield from _text_lines(str(part.get("content", "")), reading, Tone.DIM)
        case "tool_call":
            name, call_id = str(part.get("name", "?")), str(part.get("id", ""))
            yield line(words("  ⚙ "), words(name, Tone.TOOL), words(f"  {call_id}", Tone.DIM), level=2)
            yield from argument_lines(part.get("arguments"))
        case "tool_call_response":
            result = part.get("response", part.get("result"))
            yield line(words("  ↩ "), words(str(part.get("id", "")), Tone.DIM), level=2)
            text = result if isinstance(result, str) else pretty(result)
            if text.strip():
                yield from paragraphs(text.rstrip("\n"), max_chars=_PART_CHARS, indent=4)
            else:
                yield line(words("    no output", Tone.DIM))
        case _:
            yield from paragraphs(pretty(part), Tone.DIM, max_chars=_PART_CHARS, indent=2)


def argument_lines(arguments: Any) -> Iterator[Line]:
    """What a tool was called with: commands as a shell is given them, texts with their line breaks, the rest as JSON."""
    values = _loaded(arguments)
    if not isinstance(values, Mapping) or not values:
        yield from paragraphs(pretty(arguments), max_chars=_PART_CHARS, indent=4)
        return
    for key, value in values.items():
        if key in _COMMANDS and (command := _command(value)):
            first, *more = safe(command, max_chars=_PART_CHARS, newlines=True).expandtabs(4).split("\n")
            yield line(words("    $ ", Tone.DIM), (safe(first), Tone.STRONG), indent=6)
            for row in more:
                yield line(words("      "), (safe(row), Tone.TEXT), indent=6)
        elif isinstance(value, str) and "\n" in value:
            yield line(words(f"    {key}", Tone.KEY))
            yield from paragraphs(value, max_chars=_PART_CHARS, indent=6)
        else:
            text = display.value_text(value)
            yield line(words(f"    {key}  ", Tone.KEY), words(text[:_PART_CHARS]), indent=6)


def _command(value: Any) -> str:
    """A command line; of `bash -lc SCRIPT` the script."""
    if isinstance(value, str):
        return value.rstrip("\n")
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        return ""
    if len(value) == 3 and value[1] in _SHELL_FLAGS:
        return str(value[2]).rstrip("\n")
    return shlex.join(value)


def _loaded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def pretty(value: Any) -> str:
    """JSON as people read it; text that is JSON itself is laid out too."""
    if isinstance(value, str):
        loaded = _loaded(value)
        if not isinstance(loaded, dict | list):
            return value
        value = loaded
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
    except (TypeError, ValueError, RecursionError):
        return str(type(value).__name__)


def names_line(names: Sequence[str], size: int, reading: Reading, part: str) -> Line:
    """The tools that the model could call, on one line."""
    shown = fit(", ".join(names)[:2000], 400)
    return folded_line(f"{len(names):,} tool{'' if len(names) == 1 else 's'}", size, shown, part, reading)
