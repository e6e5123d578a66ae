"""Records until it is killed; says on stdout what has been acknowledged, one line a record."""

import os
import sys
from pathlib import Path

from cabtrace.model import semconv as sc
from cabtrace.store.cast import CastHeader
from tests.support.recording import new_recorder


def main() -> None:
    recorder = new_recorder(Path(sys.argv[1]))
    writer = recorder.writer
    writer.start_terminal(CastHeader(80, 24), recorder.clock.now_ns())

    def ack(kind: str, name: str) -> None:
        os.write(1, f"{kind} {name}\n".encode())  # unbuffered: an acknowledgement that waits is none

    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    ack("open", "cell")
    number = 0
    while True:
        number += 1
        span = recorder.start(f"chat {number}", sc.SpanKind.MODEL_CALL, parent=root, attributes={"n": number})
        ack("open", span.name)
        if writer.append("calls", b'{"call_id":"%016x","type":"request","body":{"n":%d}}\n' % (number, number), durable=True):
            ack("call", str(number))
        if writer.terminal(recorder.clock.now_ns(), "o", f"line {number}\r\n"):
            ack("terminal", str(number))
        recorder.end(span)
        ack("span", span.name)


main()
