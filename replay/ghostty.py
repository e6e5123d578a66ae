"""The screen engine over libghostty-vt, by the lower layer of its binding: the upper one has no snapshots and no bulk reading."""

from __future__ import annotations

import weakref
from typing import Any

from cabtrace.protocols import Run
from replay.defuse import Defuser
from replay.ghostty_cells import CellReader

MAX_COLUMNS, MAX_ROWS = 500, 300
_LEAST_ROWS = 2  # to which it is resized: with one, text that was there before can end the process in version 0.1.3
_CONTINUATION_BYTES = 1024 * 1024  # of an unfinished sequence that a snapshot takes along
_FEED_BYTES = 64 * 1024
_TEXT_BYTES = 64 * MAX_COLUMNS * MAX_ROWS  # a cell may hold a letter and any number of marks


class GhosttyEngine:
    """A `ScreenEngine`. Raises ImportError or OSError where the library does not load; nothing after that raises."""

    name = "libghostty-vt"

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        """A blank screen without scrollback."""
        from pyghostty._ffi import ffi, lib, union_fn

        self._ffi, self._lib = ffi, lib
        # a point holds a union, which cffi passes by value only under another name
        signature = "GhosttyResult(*)(GhosttyTerminal, GhosttyPointS, GhosttyGridRef*)"
        self._grid_ref = union_fn("ghostty_terminal_grid_ref", signature)
        self._reader = CellReader(ffi, lib)
        self.columns, self.rows = _clamp(columns, rows)
        self.bad_feeds = 0
        self._cached: list[tuple[Run, ...]] = []
        self._cached_palette = b""
        self._text = ffi.new("uint8_t[]", 4096)
        self._defuser = Defuser()
        self._iterator = self._new("GhosttyRenderStateRowIterator", lib.ghostty_render_state_row_iterator_new)
        self._cells = self._new("GhosttyRenderStateRowCells", lib.ghostty_render_state_row_cells_new)
        self._free_render = weakref.finalize(self, _free_all, lib, self._iterator[0], self._cells[0])
        self._adopt(self._blank())

    def feed(self, data: bytes) -> None:
        write, terminal = self._lib.ghostty_terminal_vt_write, self._terminal[0]
        data = self._defuser.clean(data, self.columns)
        for start in range(0, len(data), _FEED_BYTES):
            piece = data[start : start + _FEED_BYTES]
            write(terminal, piece, len(piece))

    def resize(self, columns: int, rows: int) -> None:
        size = _clamp(columns, max(rows, _LEAST_ROWS))
        if self._lib.ghostty_terminal_resize(self._terminal[0], *size, 8, 16):
            self.bad_feeds += 1
        else:
            self.columns, self.rows = size

    def screen(self) -> list[tuple[Run, ...]]:
        lib, ffi = self._lib, self._ffi
        if lib.ghostty_render_state_update(self._render[0], self._terminal[0]):
            self.bad_feeds += 1
            return self._cached or self._blank_rows()
        palette = self._palette()
        lib.ghostty_render_state_get(self._render[0], lib.GHOSTTY_RENDER_STATE_DATA_ROW_ITERATOR, self._iterator)
        view, dirty = ffi.new("GhosttyCellsView*"), ffi.new("bool*")
        rows: list[tuple[Run, ...]] = []
        reuse = len(self._cached) == self.rows and palette == self._cached_palette
        clean = ffi.new("bool*", False)
        while lib.ghostty_render_state_row_iterator_next(self._iterator[0]) and len(rows) < self.rows:
            lib.ghostty_render_state_row_get(self._iterator[0], lib.GHOSTTY_RENDER_STATE_ROW_DATA_DIRTY, dirty)
            if reuse and not dirty[0]:
                rows.append(self._cached[len(rows)])
                continue
            lib.ghostty_render_state_row_get(self._iterator[0], lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS_RAW, view)
            lib.ghostty_render_state_row_get(self._iterator[0], lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS, self._cells)
            rows.append(self._reader.runs(ffi.unpack(view.ptr, view.len) if view.len else [], self._cells[0], palette))
            lib.ghostty_render_state_row_set(self._iterator[0], lib.GHOSTTY_RENDER_STATE_ROW_OPTION_DIRTY, clean)
        rows += self._blank_rows()[len(rows) :]
        self._cached, self._cached_palette = rows, palette
        return list(rows)

    def text(self) -> str:
        lib, ffi = self._lib, self._ffi
        selection, options = ffi.new("GhosttySelection*"), ffi.new("GhosttyTerminalSelectionFormatOptions*")
        options.size, selection.size = ffi.sizeof(options[0]), ffi.sizeof(selection[0])
        selection.start.size = selection.end.size = ffi.sizeof("GhosttyGridRef")
        corners = ((selection.start, 0, 0), (selection.end, self.columns - 1, self.rows - 1))
        if any(self._refer(ref, x, y) for ref, x, y in corners):
            self.bad_feeds += 1
            return ""
        options.emit = lib.GHOSTTY_FORMATTER_FORMAT_PLAIN
        options.unwrap = options.trim = True
        options.selection = selection
        length = ffi.new("size_t*")
        while lib.ghostty_terminal_selection_format_buf(self._terminal[0], options[0], self._text, len(self._text), length):
            if not len(self._text) < length[0] <= _TEXT_BYTES:
                self.bad_feeds += 1
                return ""
            self._text = ffi.new("uint8_t[]", length[0])
        return bytes(ffi.buffer(self._text, length[0])).decode("utf-8", "replace")

    def cursor(self) -> tuple[int, int] | None:
        if not self._get("cursor_visible", "bool"):
            return None
        x, y = int(self._get("cursor_x", "uint16_t")), int(self._get("cursor_y", "uint16_t"))
        return min(x, self.columns - 1), min(y, self.rows - 1)

    def snapshot(self) -> bytes:
        out, length = self._ffi.new("uint8_t**"), self._ffi.new("size_t*")
        if self._lib.ghostty_snapshot_encode_alloc(self._terminal[0], self._ffi.NULL, out, length):
            self.bad_feeds += 1
            return b""
        try:
            carried = self._defuser.carried
            return bytes([len(carried)]) + carried + bytes(self._ffi.buffer(out[0], length[0]))
        finally:
            self._lib.ghostty_free(self._ffi.NULL, out[0], length[0])

    def restore(self, data: bytes) -> None:
        lib, ffi = self._lib, self._ffi
        terminal = ffi.new("GhosttyTerminal*")
        decoder = ffi.new("GhosttySnapshotDecoder*")
        length = data[0] if data else 0
        self._defuser.carried, data = data[1 : 1 + length], data[1 + length :]
        if not data or lib.ghostty_snapshot_decoder_new_buf(ffi.NULL, decoder, data, len(data)):
            self._adopt(self._blank())
            return
        try:
            limit = ffi.new("size_t*", _CONTINUATION_BYTES)
            lib.ghostty_snapshot_decoder_set(decoder[0], lib.GHOSTTY_SNAPSHOT_DECODER_OPT_MAX_CONTINUATION_BYTES, limit)
            keep = ffi.new("bool*", True)
            lib.ghostty_snapshot_decoder_set(decoder[0], lib.GHOSTTY_SNAPSHOT_DECODER_OPT_RETAIN_CONTINUATION, keep)
            failed = lib.ghostty_snapshot_decoder_decode(decoder[0], terminal)
        finally:
            lib.ghostty_snapshot_decoder_free(decoder[0])
        if failed:
            self.bad_feeds += 1
            terminal = self._blank()
        self._adopt(terminal)
        self.columns, self.rows = int(self._get("cols", "uint16_t")), int(self._get("rows", "uint16_t"))

    def _refer(self, ref: Any, x: int, y: int) -> Any:
        """Makes `ref` point to a cell of the screen; whatever but 0 is a failure."""
        point = self._ffi.new("GhosttyPointS*")
        point.tag = self._lib.GHOSTTY_POINT_TAG_ACTIVE
        point.value.x, point.value.y = x, y
        return self._grid_ref(self._terminal[0], point[0], self._ffi.addressof(ref))

    def _new(self, ctype: str, make: Any) -> Any:
        handle = self._ffi.new(f"{ctype}*")
        if make(self._ffi.NULL, handle):
            raise OSError(f"{ctype} could not be made")
        return handle

    def _blank(self) -> Any:
        terminal = self._ffi.new("GhosttyTerminal*")
        if self._lib.ghostty_terminal_new(self._ffi.NULL, terminal, self.columns, self.rows):
            raise OSError("libghostty-vt makes no terminal")
        return terminal

    def _adopt(self, terminal: Any) -> None:
        lib, ffi = self._lib, self._ffi
        self._terminal = terminal
        self._free = weakref.finalize(terminal, lib.ghostty_terminal_free, terminal[0])
        nothing, continuation = ffi.new("size_t*", 0), ffi.new("size_t*", _CONTINUATION_BYTES)
        no_images = ffi.new("uint64_t*", 0)  # a recording has no business reading files as pictures
        lib.ghostty_terminal_set(terminal[0], lib.GHOSTTY_TERMINAL_OPT_SCROLLBACK_MAX_LINES, nothing)
        lib.ghostty_terminal_set(terminal[0], lib.GHOSTTY_TERMINAL_OPT_CONTINUATION_MAX_BYTES, continuation)
        lib.ghostty_terminal_set(terminal[0], lib.GHOSTTY_TERMINAL_OPT_KITTY_IMAGE_STORAGE_LIMIT, no_images)
        # One that has drawn another terminal takes this for that one where it lies at the same place in memory.
        self._render = self._new("GhosttyRenderState", lib.ghostty_render_state_new)
        weakref.finalize(self._render, lib.ghostty_render_state_free, self._render[0])
        self._cached, self._cached_palette = [], b""

    def _get(self, key: str, ctype: str) -> Any:
        out = self._ffi.new(f"{ctype}*")
        self._lib.ghostty_terminal_get(self._terminal[0], getattr(self._lib, f"GHOSTTY_TERMINAL_DATA_{key.upper()}"), out)
        return out[0]

    def _palette(self) -> bytes:
        palette = self._ffi.new("GhosttyColorRgb[256]")
        self._lib.ghostty_render_state_get(self._render[0], self._lib.GHOSTTY_RENDER_STATE_DATA_COLOR_PALETTE, palette)
        return bytes(self._ffi.buffer(palette))

    def _blank_rows(self) -> list[tuple[Run, ...]]:
        return [(Run(" " * self.columns),)] * self.rows


def _clamp(columns: int, rows: int) -> tuple[int, int]:
    return min(max(columns, 1), MAX_COLUMNS), min(max(rows, 1), MAX_ROWS)


def _free_all(lib: Any, iterator: Any, cells: Any) -> None:
    lib.ghostty_render_state_row_cells_free(cells)
    lib.ghostty_render_state_row_iterator_free(iterator)
