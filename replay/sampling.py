"""When the text of the screen is looked at while a recording is indexed: so often that what a reader could have read is seen."""

from __future__ import annotations

import re
from typing import Final

from cabtrace.protocols import ScreenEngine
from replay.engine_player import Player
from replay.shown import ShownText

_PAUSE_NS: Final = 100_000_000
_SAMPLE_BYTES: Final = 2 * 1024
_LEAST_BYTES: Final = 256
_CARRIED_BYTES: Final = 64
_CLEARS: Final = re.compile(rb"\x1b(?:\[[0-3]?J|\[\?1049|\[\?47|c)")
# Attributes with an 8 among them. "Conceal": the text is in the engine's cells and not to be seen.
_EIGHT: Final = re.compile(rb"(?:\x1b\[|\xc2\x9b)((?:[0-9;:]{0,64};)?0{0,4}8(?:;[0-9;:]{0,64})?)m")


class Sampler:
    """Counts what was fed and says when to look: at the end of an instant, as what another event of it hides is never seen."""

    def __init__(self, shown: ShownText) -> None:
        self._shown = shown
        self._bytes = self._lines = 0
        self._time_ns = 0
        self._tail = b""
        self._conceals = False

    def is_due(self, pause_ns: int, data: bytes | None, engine: ScreenEngine) -> bool:
        """Whether to look before the next event, `data`, which comes `pause_ns` after what was taken last."""
        if not self._bytes:
            return False
        if data is None or pause_ns >= _PAUSE_NS or self._bytes >= min(_SAMPLE_BYTES, engine.columns * engine.rows // 2):
            return True
        return self._lines + data.count(b"\n") >= engine.rows or (self._bytes >= _LEAST_BYTES and bool(_CLEARS.search(data)))

    def take(self, time_ns: int, data: bytes) -> None:
        """Output that is fed now."""
        self._time_ns = time_ns
        self._bytes += len(data)
        self._lines += data.count(b"\n")
        if not self._conceals:
            # a sequence may be split over events
            self._conceals = any(_conceals(match[1]) for match in _EIGHT.finditer(self._tail + data))
            self._tail = (self._tail + data)[-_CARRIED_BYTES:]

    def sample(self, player: Player) -> None:
        """Notes what the screen shows."""
        self._bytes = self._lines = 0
        time_ns, shown = self._time_ns, self._shown
        if self._conceals:
            player.flush()
            shown.add(time_ns, _visible(player.engine))
            player.answered()
        else:
            player.read_text(lambda text: shown.add(time_ns, text))

    def catch_up(self, player: Player) -> None:
        """Notes what the screen shows, where anything was taken since the last sample."""
        if self._bytes:
            self.sample(player)

    def forget(self) -> None:
        """What was taken since the last sample is taken again."""
        self._bytes = self._lines = 0

    def finish(self, player: Player) -> None:
        """The recording is at its end."""
        self.catch_up(player)
        player.settle()
        self._shown.pack()


def _visible(engine: ScreenEngine) -> str:
    return "\n".join("".join(run.text for run in row) for row in engine.screen())


def _conceals(attributes: bytes) -> bool:
    """Whether an 8 stands for itself: it may be a part of a colour, as in `38;5;8` or `48;2;8;8;8`."""
    rest = iter(attributes.split(b";"))
    for number in rest:
        if number.lstrip(b"0") == b"8":
            return True
        if number in (b"38", b"48", b"58"):
            for _ in range({b"5": 1, b"2": 3}.get(next(rest, b""), 0)):
                next(rest, None)
    return False
