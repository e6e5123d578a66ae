"""Which modes of the terminal a program has switched on, so that they can be switched off where it did not do so itself."""

from __future__ import annotations

import re

_CHANGE = re.compile(rb"\x1b\[\?([0-9;]{1,64})([hl])|\x1b\[([<>])([0-9;]{0,16})u")
_TAIL_BYTES = 80  # longer than any of these
_CURSOR = 25
# Alternate screen, mouse, focus, bracketed paste, cursor keys, synchronized output; the cursor is on unless switched off.
_WATCHED = frozenset({1, 9, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026})
_KEYBOARDS = 32


class Modes:
    """Fed with everything that a program writes."""

    def __init__(self) -> None:
        self._on: dict[int, None] = {}
        self._cursor_hidden = False
        self._keyboards = 0  # depth of the stack of keyboard protocols
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Takes output, cut anywhere."""
        data = self._tail + data
        last = 0
        for change in _CHANGE.finditer(data):
            last = change.end()
            if change[3]:
                self._keyboard(change[3], change[4])
            else:
                for number in change[1].split(b";"):
                    self._switch(int(number or 0), on=change[2] == b"h")
        escape = data.rfind(b"\x1b", max(last, len(data) - _TAIL_BYTES))
        self._tail = data[escape:] if escape >= 0 else b""

    def undo(self) -> bytes:
        """What switches off that which is still on; b"" where all is as it was."""
        popped = b"\x1b[<%du" % self._keyboards if self._keyboards else b""
        off = b"".join(b"\x1b[?%dl" % mode for mode in reversed(self._on))
        return popped + off + (b"\x1b[?25h" if self._cursor_hidden else b"")

    def _switch(self, mode: int, *, on: bool) -> None:
        if mode == _CURSOR:
            self._cursor_hidden = not on
        elif mode in _WATCHED:
            self._on.pop(mode, None)
            if on:
                self._on[mode] = None

    def _keyboard(self, direction: bytes, argument: bytes) -> None:
        if direction == b">":
            self._keyboards = min(self._keyboards + 1, _KEYBOARDS)
        else:
            count = int(argument) if argument.isdigit() and len(argument) < 4 else 1
            self._keyboards = max(0, self._keyboards - count)
