"""terminal.cast: asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/), written as it happens, read however torn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from cabtrace.model.otlp import clean_text
from cabtrace.model.run import LONGEST_S


@dataclass(frozen=True, slots=True)
class CastHeader:
    """Size in cells, start in Unix seconds, and what was run."""

    columns: int = 80
    rows: int = 24
    timestamp: int | None = None
    command: str = ""
    title: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    version: int = 2


@dataclass(frozen=True, slots=True)
class CastEvent:
    """`time_s` from the start of the recording; `code` is `o` output, `i` input, `r` resize (`COLSxROWS`), `m` marker."""

    time_s: float
    code: str
    data: str


def encode_header(header: CastHeader) -> bytes:
    """The first line."""
    fields: dict[str, object] = {
        "version": 2,
        "width": header.columns,
        "height": header.rows,
    }
    if header.timestamp is not None:
        fields["timestamp"] = header.timestamp
    if header.command:
        fields["command"] = clean_text(header.command)
    if header.title:
        fields["title"] = clean_text(header.title)
    fields["env"] = {k: clean_text(v) for k, v in header.env.items()} or {"TERM": "xterm-256color"}
    return orjson.dumps(fields) + b"\n"


def encode_event(offset_ns: int, code: str, data: str) -> bytes:
    """One event line; the time has six decimals, as asciinema writes it."""
    seconds = f"{max(offset_ns, 0) / 1e9:.6f}".encode()
    return b"[" + seconds + b"," + orjson.dumps(code) + b"," + orjson.dumps(clean_text(data)) + b"]\n"


def decode_header(line: bytes) -> CastHeader:
    """Reads v2 and v3 headers. Raises ValueError."""
    raw = orjson.loads(line)
    if not isinstance(raw, dict) or raw.get("version") not in (2, 3):
        raise ValueError("not an asciicast v2 or v3 header")
    term: Mapping[str, object] = _mapping(raw.get("term"))
    columns = raw.get("width") or term.get("cols") or 80
    rows = raw.get("height") or term.get("rows") or 24
    env = _mapping(raw.get("env"))
    stamp = raw.get("timestamp")
    return CastHeader(
        columns=_size(columns, 80),
        rows=_size(rows, 24),
        timestamp=stamp if isinstance(stamp, int) else None,
        command=str(raw.get("command") or ""),
        title=str(raw.get("title") or ""),
        env={str(k): str(v) for k, v in env.items()},
        version=raw["version"],
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _size(value: object, default: int) -> int:
    return value if isinstance(value, int) and 1 <= value <= 1000 else default


def decode_event(line: bytes) -> CastEvent:
    """Reads an event line; the time is absolute in v2, since the event before in v3. Raises ValueError."""
    return CastEvent(*_event(line))


def _event(line: bytes) -> tuple[float, str, str]:
    raw = orjson.loads(line)
    if not (isinstance(raw, list) and len(raw) >= 3 and isinstance(raw[0], int | float) and isinstance(raw[2], str)):
        raise ValueError("not an asciicast event")
    if abs(raw[0]) > LONGEST_S:
        raise ValueError("not a time")
    return float(raw[0]), str(raw[1]), raw[2]


@dataclass(slots=True)
class CastReader:
    """Decodes lines one after another; bad lines are counted with their numbers, times never go backwards."""

    header: CastHeader | None = None
    bad_lines: list[int] = field(default_factory=list)
    line: int = 0  # how many were read
    time_s: float = 0.0  # of the last event

    def restart(self) -> None:
        """As if nothing had been read."""
        self.header, self.line, self.time_s = None, 0, 0.0
        self.bad_lines.clear()

    def feed(self, lines: Iterator[bytes]) -> Iterator[CastEvent]:
        """Events of these lines; may be called again with later lines of the same file."""
        for line in lines:
            self.line += 1
            if self.header is None:
                self.header = self._header(line)
                continue
            if not line.strip() or line.startswith(b"#"):
                continue
            try:
                time_s, code, data = _event(line)
            except ValueError:
                self.bad_lines.append(self.line)
                continue
            if self.header.version == 3:
                time_s += self.time_s
            self.time_s = min(max(self.time_s, time_s), LONGEST_S)
            yield CastEvent(self.time_s, code, data)

    def _header(self, line: bytes) -> CastHeader:
        try:
            return decode_header(line)
        except ValueError:
            self.bad_lines.append(self.line)
            return CastHeader()
