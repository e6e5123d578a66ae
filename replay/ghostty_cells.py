"""Packed cells of libghostty-vt as runs of equal style. Where the bits lie is asked of the library, as its header demands."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cabtrace.protocols import Run
from cabtrace.text import safe

_MARKS_PER_CELL = 8  # combining marks beyond that are not shown
_CODEPOINT, _GRAPHEME, _BG_PALETTE, _BG_RGB = range(4)
_NARROW, _WIDE, _SPACER_TAIL, _SPACER_HEAD = range(4)
_COLOR_PALETTE, _COLOR_RGB = 1, 2
_PIECES_KEPT = 16_384
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


@dataclass(frozen=True, slots=True)
class _Bits:
    shift: int
    mask: int

    @classmethod
    def read(cls, field: Mapping[str, Any], base: int = 0) -> _Bits:
        return cls(base + int(field["lsb"]), (1 << int(field["width"])) - 1)

    def of(self, cell: int) -> int:
        return cell >> self.shift & self.mask

    @property
    def place(self) -> int:
        """The bits as they are in a cell."""
        return self.mask << self.shift


@dataclass(frozen=True, slots=True)
class _Style:
    foreground: int | None = None
    background: int | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False
    hidden: bool = False


_PLAIN = _Style()


class CellReader:
    """Turns a row of 64-bit cells into runs."""

    def __init__(self, ffi: Any, lib: Any) -> None:
        """Reads the layout. Raises KeyError where the library describes its cells in other words."""
        self._ffi, self._lib = ffi, lib
        bits = orjson.loads(ffi.string(lib.ghostty_type_json()))["types"]["GhosttyCell"]["bits"]
        self._tag, self._style_id, self._wide = (_Bits.read(bits[n]) for n in ("content_tag", "style_id", "wide"))
        base, arms = int(bits["content"]["lsb"]), bits["content"]["arms"]
        self._codepoint = _Bits.read(arms["CODEPOINT"]["bits"]["codepoint"], base)
        self._index = _Bits.read(arms["BG_COLOR_PALETTE"]["bits"]["index"], base)
        self._rgb = [_Bits.read(arms["BG_COLOR_RGB"]["bits"][c], base) for c in "rgb"]
        self._style_mask = self._tag.place | self._style_id.place
        self._background_bit = _BG_PALETTE << self._tag.shift  # both tags of cells that are a background only have it
        self._text_mask = self._tag.place | self._wide.place | self._codepoint.place
        self._pieces: dict[int, str | None] = {}
        self._style = ffi.new("GhosttyStyle*")
        self._style.size = ffi.sizeof("GhosttyStyle")
        self._count = ffi.new("uint32_t*")

    def runs(self, cells: Sequence[int], handle: Any, palette: bytes) -> tuple[Run, ...]:
        """One row. `handle` is the library's own view of it, for what a cell does not hold; `palette` is 256 RGB triples."""
        style_mask, text_mask, pieces = self._style_mask, self._text_mask, self._pieces
        styles: dict[int, _Style] = {0: _PLAIN}  # ids are of a page of memory, hence good for one row only
        out: list[Run] = []
        text: list[str] = []
        current, styled_as = _PLAIN, 0
        before = -1
        piece: str | None = ""
        for x, cell in enumerate(cells):
            if cell == before:  # most of a screen is blank; nothing is looked up twice in a row
                text.append(piece if piece is not None else self._grapheme(handle, x, cell))
                continue
            before = cell
            if cell & style_mask != styled_as or cell & self._background_bit:
                styled_as = cell & style_mask
                style = self._style_of(cell, styles, handle, x, palette)
                if style is not current and style != current:
                    if text:
                        out.append(_run(text, current))
                        text = []
                    current = style
            piece = pieces.get(cell & text_mask, "?")
            if piece == "?":
                piece = self._piece(cell)
            text.append(piece if piece is not None else self._grapheme(handle, x, cell))
        if text:
            out.append(_run(text, current))
        return tuple(out)

    def _piece(self, cell: int) -> str | None:
        """What is written for a cell; None where only the library knows."""
        tag, wide = self._tag.of(cell), self._wide.of(cell)
        codepoint = self._codepoint.of(cell) if tag <= _GRAPHEME else 0
        piece: str | None
        if wide == _SPACER_TAIL:
            piece = ""
        elif not codepoint or wide == _SPACER_HEAD:
            piece = " "
        elif tag == _GRAPHEME:
            piece = None
        else:
            piece = _character(codepoint, wide == _WIDE)
        if len(self._pieces) >= _PIECES_KEPT:
            self._pieces.clear()
        self._pieces[cell & self._text_mask] = piece
        return piece

    def _style_of(self, cell: int, styles: dict[int, _Style], handle: Any, x: int, palette: bytes) -> _Style:
        tag = self._tag.of(cell)
        if tag >= _BG_PALETTE:
            return _Style(background=self._cell_background(cell, tag, palette))
        style_id = self._style_id.of(cell)
        style = styles.get(style_id)
        if style is None:
            style = styles[style_id] = self._read_style(handle, x, palette)
        return style

    def _cell_background(self, cell: int, tag: int, palette: bytes) -> int:
        if tag == _BG_PALETTE:
            return _palette_color(palette, self._index.of(cell))
        red, green, blue = (b.of(cell) for b in self._rgb)
        return red << 16 | green << 8 | blue

    def _read_style(self, handle: Any, x: int, palette: bytes) -> _Style:
        lib, style = self._lib, self._style
        if lib.ghostty_render_state_row_cells_select(handle, x) or lib.ghostty_render_state_row_cells_get(
            handle, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_STYLE, style
        ):
            return _PLAIN
        return _Style(
            foreground=_color(style.fg_color, palette),
            background=_color(style.bg_color, palette),
            bold=bool(style.bold),
            dim=bool(style.faint),
            italic=bool(style.italic),
            underline=bool(style.underline),
            reverse=bool(style.inverse),
            strike=bool(style.strikethrough),
            hidden=bool(style.invisible),
        )

    def _grapheme(self, handle: Any, x: int, cell: int) -> str:
        lib, ffi, wide = self._lib, self._ffi, self._wide.of(cell) == _WIDE
        kinds = lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_LEN, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_BUF
        if lib.ghostty_render_state_row_cells_select(handle, x):
            return " "
        if lib.ghostty_render_state_row_cells_get(handle, kinds[0], self._count) or not self._count[0]:
            return " "
        codepoints = ffi.new("uint32_t[]", self._count[0])
        if lib.ghostty_render_state_row_cells_get(handle, kinds[1], codepoints):
            return " "
        first, *marks = codepoints[0 : min(self._count[0], 1 + _MARKS_PER_CELL)]
        base = _character(first, wide=False)
        # Joined emoji and variation selectors are as wide as the terminal of the moment likes: the base alone keeps columns true.
        shown = base + "".join(chr(c) for c in marks if _is_mark(c))
        return shown + " " * (wide and unicodedata.east_asian_width(base) not in "WF")


def _is_scalar(codepoint: int) -> bool:
    return 0 < codepoint < 0x110000 and not 0xD800 <= codepoint < 0xE000


def _is_mark(codepoint: int) -> bool:
    return (
        _is_scalar(codepoint)
        and codepoint not in _VARIATION_SELECTORS
        and unicodedata.category(chr(codepoint)) in ("Mn", "Me", "Mc")
    )


def _character(codepoint: int, wide: bool) -> str:
    return chr(codepoint) if _is_scalar(codepoint) else "\N{REPLACEMENT CHARACTER}" + " " * wide


def _palette_color(palette: bytes, index: int) -> int:
    return int.from_bytes(palette[3 * index : 3 * index + 3], "big")


def _color(color: Any, palette: bytes) -> int | None:
    if color.tag == _COLOR_PALETTE:
        return _palette_color(palette, color.value.palette)
    if color.tag == _COLOR_RGB:
        return int(color.value.rgb.r) << 16 | int(color.value.rgb.g) << 8 | int(color.value.rgb.b)
    return None


def _run(text: list[str], style: _Style) -> Run:
    joined = "".join(text)
    return Run(
        text=" " * len(joined) if style.hidden else safe(joined),
        foreground=style.foreground,
        background=style.background,
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        reverse=style.reverse,
        strike=style.strike,
    )
