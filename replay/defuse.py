"""Takes out of terminal output, before the engine gets it, what libghostty-vt 0.1.3 does not survive or takes very long for.

Links (OSC 8) on wide characters end in a segmentation fault once the terminal is resized; a repeat (CSI b) of 65,535 takes eight
bytes to write. `tests/security/test_engine_streams.py` found both. Links are not shown anyway, and nobody repeats a character
beyond a row. The engine has a process of its own, so that what is not known to be here costs no more than its own output
(`engine_trouble`); what is known costs nothing.
"""

from __future__ import annotations

import re
from typing import Final

_C: Final = rb"[\x00-\x17\x19\x1c-\x1f\x7f]*"  # may stand anywhere in a sequence
_LINK: Final = re.compile(rb"(\x1b" + _C + rb"\]" + _C + rb")8")
_REPEAT: Final = re.compile(rb"(\x1b" + _C + rb"\[[0-9;:\x00-\x17\x19\x1c-\x1f\x7f]*)b")
_UNFINISHED: Final = re.compile(rb"\x1b" + _C + rb"(?:\]" + _C + rb"|\[[0-9;:\x00-\x17\x19\x1c-\x1f\x7f]*)?")
_CONTROLS: Final = re.compile(rb"[\x00-\x1a\x1c-\x1f\x7f]")
_CARRIED_BYTES: Final = 64


class Defuser:
    """`carried`: the beginning of a sequence that the next piece of output may finish; to be kept with the engine's state."""

    def __init__(self) -> None:
        self.carried = b""

    def clean(self, data: bytes, columns: int) -> bytes:
        """The output to feed instead."""
        known = self.carried
        whole = known + data
        if b"]" in whole:
            whole = _LINK.sub(rb"\g<1>0", whole)  # a title, which is not shown either
        if b"b" in data:
            whole = _REPEAT.sub(lambda match: _at_most(match, columns), whole)
        last = whole.rfind(b"\x1b")
        unfinished = _UNFINISHED.fullmatch(whole, last) if last >= 0 else None
        self.carried = _CONTROLS.sub(b"", unfinished[0])[:_CARRIED_BYTES] if unfinished else b""
        return whole[len(known) :]


def _at_most(match: re.Match[bytes], most: int) -> bytes:
    number = re.sub(rb"[^0-9]", b"", match[1])
    if len(number) < 4 and int(number or b"1") <= most:
        return match[0]
    return match[1] + b"x\x1b[%db" % most  # CSI x does nothing
