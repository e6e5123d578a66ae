"""Text for people, as data: lines of safe text, each piece with a tone. Panels make it, the TUI and `--plain` show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rich.cells import cell_len, chop_cells, set_cell_size

from cabtrace.text import SafeText, safe


class Tone(StrEnum):
    """What a piece of text is; a theme says how that looks."""

    TEXT = "text"
    DIM = "dim"
    HEAD = "head"
    KEY = "key"
    STRONG = "strong"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    ADDED = "added"
    REMOVED = "removed"
    HUNK = "hunk"
    MODEL = "model"
    TOOL = "tool"
    HARNESS = "harness"
    SCORE = "score"
    NOW = "now"
    FOUND = "found"
    HERE = "here"


Piece = tuple[SafeText, Tone]


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces side by side; `indent` is where a wrapped line goes on. `current` marks what the playhead is at.

    A line of a table does not wrap: what has no room is cut. `target_ns` is the instant that it tells of, if the playhead can
    go there. `opens` names the part of the document that the line stands for, where choosing it opens or closes that part.
    `level`: 1 where a section begins (a file, a message, an axis), 2 where a part of one does (a hunk).
    """

    pieces: tuple[Piece, ...] = ()
    indent: int = 0
    current: bool = False
    wraps: bool = True
    target_ns: int | None = None
    opens: str = ""
    level: int = 0

    @property
    def text(self) -> str:
        """Without tones."""
        return "".join(text for text, _ in self.pieces)


def line(
    *parts: SafeText | Piece,
    indent: int = 0,
    current: bool = False,
    target_ns: int | None = None,
    opens: str = "",
    level: int = 0,
) -> Line:
    """A line; a part without a tone is plain text. Line breaks have no place in it."""
    pieces = tuple((p, Tone.TEXT) if isinstance(p, SafeText) else p for p in parts)
    return Line(pieces, indent, current, target_ns=target_ns, opens=opens, level=level)


def words(text: str, tone: Tone = Tone.TEXT) -> Piece:
    """Any text, made safe and on one line."""
    return safe(text, newlines=False), tone


def heading(text: str) -> Line:
    """A title within a document; a section begins there."""
    return line(words(text, Tone.HEAD), level=1)


def paragraphs(text: str, tone: Tone = Tone.TEXT, *, max_chars: int = 64 * 1024, indent: int = 0) -> Iterator[Line]:
    """A longer text as lines; says so when it had to be cut."""
    margin = safe(" " * indent)
    for row in safe(text, max_chars=max_chars, newlines=True).expandtabs(4).split("\n"):
        yield Line(
            ((margin, Tone.TEXT), (safe(row, max_chars=max_chars), tone))
            if indent
            else ((safe(row, max_chars=max_chars), tone),),
            indent,
        )


def fields(pairs: Iterable[tuple[str, str]], *, gap: int = 2) -> Iterator[Line]:
    """Keys and values in two columns."""
    rows = [(safe(key, newlines=False, max_chars=200), value) for key, value in pairs]
    width = min(max((cell_len(key) for key, _ in rows), default=0), 44) + gap
    for key, value in rows:
        first, *rest = safe(value, newlines=True).expandtabs(4).split("\n")
        yield line((pad(key, width), Tone.KEY), safe(first), indent=width)
        for more in rest:
            yield line(safe(" " * width), safe(more), indent=width)


def pad(text: str, width: int, *, right: bool = False) -> SafeText:
    """Text of exactly `width` cells or, where it is longer, of its own; `right` puts the space before it."""
    space = " " * max(width - cell_len(text), 0)
    return safe(space + text if right else text + space)


def fit(text: str, width: int) -> SafeText:
    """Text of at most `width` cells, with an ellipsis where something was cut."""
    if cell_len(text) <= width:
        return safe(text)
    return safe(set_cell_size(text, max(width - 1, 0)).rstrip() + "…" if width > 0 else "")


def fit_end(text: str, width: int) -> SafeText:
    """Text of at most `width` cells that ends as it did: `…/error-handling`, from a slash on where one is near."""
    if cell_len(text) <= width:
        return safe(text)
    if width < 2:
        return fit(text, width)
    start = len(text)
    room = width - 1
    while start > 0 and (room := room - cell_len(text[start - 1])) >= 0:
        start -= 1
    slash = text.find("/", start)
    if 0 <= slash - start <= (len(text) - start) // 3:
        start = slash
    return safe("…" + text[start:].removeprefix("/ "))


def one_row(source: Line, width: int) -> Line:
    """A line on one row: what has no room is cut, with an ellipsis."""
    if sum(cell_len(text) for text, _ in source.pieces) <= width:
        return replace(source, wraps=False)
    pieces: list[Piece] = []
    room = max(width - 1, 0)
    for text, tone in source.pieces:
        if cell_len(text) > room:
            pieces.append((safe(set_cell_size(text, room).rstrip() + "…"), tone))
            break
        pieces.append((text, tone))
        room -= cell_len(text)
    return replace(source, pieces=tuple(pieces), wraps=False)


def wrap(source: Line, width: int) -> list[Line]:
    """A line as rows of at most `width` cells; breaks between words where there are any, and keeps the indent."""
    if width < 4 or not source.wraps or sum(cell_len(text) for text, _ in source.pieces) <= width:
        return [source]
    indent = source.indent if source.indent <= width // 2 else 2
    rows: list[Line] = []
    row: list[Piece] = []
    room = width

    def new_row() -> None:
        nonlocal room
        rows.append(Line(tuple(row), source.indent, source.current))
        row[:] = [(safe(" " * indent), Tone.TEXT)] if indent else []
        room = width - indent

    for text, tone in source.pieces:
        rest: str = text
        while rest:
            if cell_len(rest) <= room:
                row.append((safe(rest), tone))
                room -= cell_len(rest)
                break
            head = chop_cells(rest, room)[0] if room > 0 else ""
            if cell_len(head) > room:
                head = ""
            space = head.rfind(" ")
            if space > 0 and len(head) < len(rest) and rest[len(head)] != " ":
                head = head[: space + 1]
            elif space <= 0 and len(row) > bool(rows and indent) and len(rest) < width - indent:
                head = ""  # a word that fits on a row of its own
            if head:
                row.append((safe(head), tone))
                rest = rest[len(head) :]
            elif room == width - indent and not head:
                head, rest = rest[:1], rest[1:]
                row.append((safe(head), tone))
            new_row()
            rest = rest.lstrip(" ") if rest.strip(" ") else ""
    if row:
        rows.append(Line(tuple(row), source.indent, source.current))
    return rows


def table(
    head: Sequence[str], rows: Iterable[tuple[Sequence[Piece], bool, int | None]], *, right: Sequence[int] = (), gap: int = 2
) -> Iterator[Line]:
    """Columns as wide as their content; `right` names those that hold numbers. Each row says if it is current, and when."""
    body = list(rows)
    widths = [cell_len(h) for h in head]
    for cells, _, _ in body:
        widths = [max(w, cell_len(text)) for w, (text, _) in zip(widths, cells, strict=True)]
    space = safe(" " * gap), Tone.TEXT
    titles = ((pad(h, w, right=i in right), Tone.KEY) for i, (h, w) in enumerate(zip(head, widths, strict=True)))
    yield Line(tuple(piece for title in titles for piece in (title, space)), wraps=False)
    for cells, current, target_ns in body:
        padded = ((pad(text, w, right=i in right), tone) for i, ((text, tone), w) in enumerate(zip(cells, widths, strict=True)))
        yield Line(tuple(piece for cell in padded for piece in (cell, space)), current=current, wraps=False, target_ns=target_ns)
