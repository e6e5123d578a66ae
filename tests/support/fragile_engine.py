"""Run as the process that starts terminal engines (`EngineHost`): the real engine, which ends or hangs where its output says so."""

from __future__ import annotations

import os
import re
import signal

from replay import engine_child, ghostty

_ORDER = re.compile(rb"<(SIGSEGV|SIGABRT|exit|hang|text)>")


class FragileEngine(ghostty.GhosttyEngine):
    """`<SIGSEGV>` and the like end it as they are fed, `<hang>` holds it for ever, `<text>` ends it when it is next asked for text."""

    deadly_text = False

    def feed(self, data: bytes) -> None:
        """Does as it is told."""
        for match in _ORDER.finditer(data):
            word = match[1].decode()
            if word == "hang":
                signal.pause()
            elif word == "exit":
                os._exit(7)
            elif word == "text":
                self.deadly_text = True
            else:
                os.kill(os.getpid(), getattr(signal, word))
        super().feed(data)

    def restore(self, data: bytes) -> None:
        """Also of a state."""
        if data.startswith(b"<"):
            self.feed(data)
        super().restore(data)

    def text(self) -> str:
        """Perhaps."""
        if self.deadly_text:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().text()


if __name__ == "__main__":
    ghostty.GhosttyEngine = FragileEngine  # type: ignore[misc]  # in this process only
    engine_child.main()
