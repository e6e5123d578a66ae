"""Run as the process that starts terminal engines (`EngineHost`): one that was taken over. Which lie it tells is its columns."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path

from replay import engine_child
from replay import engine_wire as wire

#: What must not be there.
LEFT = str(Path(tempfile.gettempdir()) / "cabtrace-was-here")
_SIZE = wire.encode_state(wire.State(80, 1, None))


class Bomb:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Leaves a file."""
        return exec, (f"open({LEFT!r}, 'w')",)


#: What it answers when it is asked for the screen.
LIES: tuple[bytes, ...] = (
    b"",
    b"\xff" * 64,
    wire.HEADER.pack(wire.SCREEN, 0xFFFFFFFF),
    wire.HEADER.pack(wire.SCREEN, wire.LONGEST[wire.SCREEN] + 1),
    wire.frame(wire.TEXT, b"another question"),
    wire.frame(99, b"no question"),
    wire.frame(wire.SCREEN, b""),
    wire.frame(wire.SCREEN, b"\x00" * 8 + b"[]"),
    wire.frame(wire.SCREEN, b"\xff" * 8 + b"[]"),
    wire.frame(wire.SCREEN, _SIZE + b"[null]"),
    wire.frame(wire.SCREEN, _SIZE + b"null"),
    wire.frame(wire.SCREEN, _SIZE + b"{}"),
    wire.frame(wire.SCREEN, _SIZE + b"[[], []]"),
    wire.frame(wire.SCREEN, _SIZE + b"[[1]]"),
    wire.frame(wire.SCREEN, _SIZE + b'[["\\ud800"]]'),
    wire.frame(wire.SCREEN, _SIZE + b'[[["a", null, null]]]'),
    wire.frame(wire.SCREEN, _SIZE + b'[[["a", 16777216, null, 0]]]'),
    wire.frame(wire.SCREEN, _SIZE + b'[[["a", -1, null, 0]]]'),
    wire.frame(wire.SCREEN, _SIZE + b'[[["a", true, null, 0]]]'),
    wire.frame(wire.SCREEN, _SIZE + b'[[["a", null, null, 64]]]'),
    wire.frame(wire.SCREEN, _SIZE + b'[[["a", null, null, 1e400]]]'),
    wire.frame(wire.SCREEN, _SIZE + b'[["' + b"a" * 5_000 + b'"]]'),
    wire.frame(wire.SCREEN, _SIZE + b"[" * 5_000 + b"]" * 5_000),
    wire.frame(wire.SCREEN, _SIZE + b"[" + b"[]," * 1_000_000 + b"[]]"),
    wire.frame(wire.SCREEN, _SIZE + b"[[" + b"1," * 1_000_000 + b"1]]"),
    wire.frame(wire.SCREEN, pickle.dumps(Bomb())),
)
#: The true answer in form, and hostile in what it holds: one row of an escape sequence.
ESCAPE = len(LIES)


def serve(pipe: engine_child._Pipe) -> None:
    """Answers the first question rightly, and every other with the lie; then it hangs up."""
    message = pipe.read()
    assert message is not None
    lie = wire.SIZE.unpack(message[1])[0]
    pipe.write(wire.START, wire.STARTED)
    while (message := pipe.read()) is not None:
        if message[0] == wire.TEXT:
            pipe.write(wire.TEXT, b"\xff\xfe\x1b]52;c;aGk=\x07")
        elif message[0] == wire.STATE:
            pipe.write(wire.STATE, _SIZE)
        elif message[0] == wire.SCREEN and lie == ESCAPE:
            pipe.write(wire.SCREEN, _SIZE + b'[["\\u001b]52;c;aGk=\\u0007\\u202e\\r\\n"]]')
        elif message[0] == wire.SCREEN:
            rest = memoryview(LIES[lie])
            while rest:
                rest = rest[os.write(pipe._descriptor, rest) :]
            return


if __name__ == "__main__":
    engine_child.serve = serve  # in this process only
    engine_child.main()
