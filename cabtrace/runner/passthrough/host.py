"""The terminal that the user sits at, if there is one: its size, raw mode while a program is shown through it, and back."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty
from collections.abc import Iterator
from typing import Any

from cabtrace.runner.passthrough.modes import Modes

_DEFAULT_SIZE = (80, 24)
_LARGEST = 1_000


class HostTerminal:
    """Standard input and output of this process, by descriptor."""

    def __init__(self, stdin: int = 0, stdout: int = 1) -> None:
        self.stdin, self.stdout = stdin, stdout
        self.modes = Modes()
        self._settings: list[Any] | None = None
        with contextlib.suppress(OSError, termios.error):
            self._settings = termios.tcgetattr(stdin)

    @property
    def settings(self) -> list[Any] | None:
        """As the user has them; None where standard input is no terminal."""
        return self._settings

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        for descriptor in (self.stdout, self.stdin):
            with contextlib.suppress(OSError):
                columns, rows = os.get_terminal_size(descriptor)
                if columns and rows:
                    return min(columns, _LARGEST), min(rows, _LARGEST)
        return _DEFAULT_SIZE

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """Every key goes to the program as it is typed. Whatever happens, the terminal is then as it was."""
        if self._settings is None:
            yield
            return
        tty.setraw(self.stdin, termios.TCSADRAIN)
        try:
            yield
        finally:
            self._undo_modes()
            with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
                termios.tcsetattr(self.stdin, termios.TCSADRAIN, self._settings)

    def write(self, data: bytes) -> bool:
        """All of it; False where nobody reads any more."""
        self.modes.feed(data)
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.stdout, view) :]
            except BlockingIOError:
                select.select([], [self.stdout], [], 1)
            except OSError:
                return False
        return True

    def _undo_modes(self) -> None:
        with contextlib.suppress(OSError):
            if (undo := self.modes.undo()) and os.isatty(self.stdout):
                os.write(self.stdout, undo)
