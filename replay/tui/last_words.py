"""Where a crash is told once the terminal is restored: its message may quote a recording, so it is made harmless as well."""

from __future__ import annotations

import io
import sys

from rich.console import Console

from cabtrace.text import safe


class _Harmless(io.StringIO):
    """stderr, for text of any origin."""

    def write(self, text: str, /) -> int:
        """Writes it with control and hidden characters made visible."""
        sys.stderr.write(safe(text, max_chars=2 * len(text) + 2))
        return len(text)

    def flush(self) -> None:
        """Nothing stays behind."""
        sys.stderr.flush()

    def isatty(self) -> bool:
        """Of stderr itself: its width counts."""
        return sys.stderr.isatty()


def error_console() -> Console:
    """For `App.error_console`. It has no colours: their sequences would be made visible too."""
    return Console(file=_Harmless(), markup=False, highlight=False, color_system=None)
