"""Both ends of the recording proxy for tests: an upstream that sends exactly what it is told, a raw client, a tape."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from cabtrace.runner.proxy.proxy import ModelProxy
from cabtrace.runner.proxy.sink import CallRecording, CallRequest, CallSink

TOKEN = "run-token-0123456789abcdef"
KEY = "sk-real-key-never-in-the-sandbox"
CHAT = "/v1/chat/completions"

RESET, CLOSE = "reset", "close"
Step = bytes | str | Callable[[], object]  # bytes to send, RESET, CLOSE, or something to wait for


@dataclass
class Received:
    """A request as it reached the upstream."""

    line: str
    headers: dict[str, str]
    body: bytes


class Upstream:
    """Serves plans: the header `x-plan` of a request names one."""

    def __init__(self, plans: Mapping[str, list[Step]] | None = None) -> None:
        self.plans = dict(plans or {})
        self.received: list[Received] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (request := read_request(connection)) is not None:
                self.received.append(request)
                for step in self.plans.get(request.headers.get("x-plan", ""), [whole(200, b"{}")]):
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    elif callable(step):
                        step()
                    else:
                        if step == RESET:
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return


def read_request(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Received(line, headers, body)


def head(status: int = 200, **headers: str) -> bytes:
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Fine\r\n{fields}\r\n".encode()


def whole(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    return head(status, Content_Type=content_type, Content_Length=str(len(body))) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


END = b"0\r\n\r\n"


@dataclass
class Tape(CallRecording):
    """What the sink was told of one call."""

    request: CallRequest
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    ends: list[str | None] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def response(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, headers

    def chunk(self, data: bytes) -> None:
        self.chunks.append(data)

    def end(self, error: str | None) -> None:
        self.ends.append(error)
        self.ended.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


@dataclass
class Tapes(CallSink):
    """A sink that keeps everything."""

    calls: list[Tape] = field(default_factory=list)
    passed: list[tuple[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def request(self, request: CallRequest) -> CallRecording:
        self.calls.append(Tape(request))
        return self.calls[-1]

    def unrecorded(self, method: str, path: str) -> None:
        self.passed.append((method, path))

    def rejected(self, reason: str) -> None:
        self.refused.append(reason)


@contextlib.contextmanager
def proxied(upstream_url: str, sink: CallSink | None = None, **options: object) -> Iterator[tuple[ModelProxy, Tapes]]:
    """A running proxy and its tapes (unused where another sink is given)."""
    tapes = Tapes()
    proxy = ModelProxy(upstream_url, KEY, TOKEN, sink or tapes, **options)  # type: ignore[arg-type]  # passed on as given
    proxy.start()
    try:
        yield proxy, tapes
    finally:
        proxy.stop()


@dataclass
class Response:
    """A response as raw as it came. `complete` is False where it was cut."""

    status: int
    headers: list[tuple[str, str]]
    chunks: list[bytes]
    complete: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Client:
    """One connection to a port of this machine."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.port = port
        self._data = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, body: bytes = b"{}", path: str = CHAT, method: str = "POST", **headers: str) -> None:
        fields = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {TOKEN}"}
        if body or method == "POST":
            fields["Content-Length"] = str(len(body))
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode() + body)

    def read(self, method: str = "POST") -> Response:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
        response = Response(int(lines[0].split()[1]), headers, [], complete=True)
        length = response.header("content-length")
        try:
            if response.header("transfer-encoding") == "chunked":
                while piece := self.chunk():
                    response.chunks.append(piece)
            elif method != "HEAD" and length is not None:
                response.chunks.append(self._exactly(int(length)))
        except (EOFError, ConnectionError):
            response.complete = False
            if length is not None:
                response.chunks.append(self._data)
        return response

    def headers(self) -> str:
        """The status line and the headers, while the body is still to come."""
        return self._until(b"\r\n\r\n").decode("latin-1")

    def chunk(self) -> bytes:
        """The next HTTP chunk; b"" is the last one."""
        size = int(self._until(b"\r\n"), 16)
        return self._exactly(size + 2)[:-2]

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._data += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            self._more()
        found, _, self._data = self._data.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more()
        found, self._data = self._data[:size], self._data[size:]
        return found
