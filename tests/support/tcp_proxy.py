"""A TCP proxy on loopback that cuts connections as it is told: both ends are reset after so many bytes from the client."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Sequence


class CuttingProxy:
    """`cuts`: for the first connections, after how many bytes; later ones pass untouched."""

    def __init__(self, port: int, cuts: Sequence[int]) -> None:
        self._target, self._cuts = port, list(cuts)
        self.cut = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._socket, *self._open):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._open += (client, server)
            limit = self._cuts.pop(0) if self._cuts else None
            threading.Thread(target=self._pump, args=(client, server, limit), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, None), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        try:
            while data := source.recv(1_024):
                passed += len(data)
                sink.sendall(data)
                if limit is not None and passed >= limit:
                    self.cut += 1
                    for one in (source, sink):
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        one.close()
                    return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return
