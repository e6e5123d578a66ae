"""Where to send, how, and with what: options first, then `OTEL_EXPORTER_OTLP_*` by the specification's rules, then presets."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from cabtrace.errors import UsageError

PROTOCOLS: Final = ("grpc", "http/protobuf", "http/json")
TRACES_PATH: Final = "/v1/traces"
DEFAULT_TIMEOUT_S: Final = 10.0
_GRPC_BYTES = 4 * 1024 * 1024 - 64 * 1024  # grpc-go receives 4 MiB unless told otherwise; leave room for framing
_HTTP_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Preset:
    """Defaults for a backend. `value_bytes`: longer attribute values are split, because the backend would cut them.

    `trace_bytes`: of a larger trace the backend drops the rest and says nothing of it, unless it is configured otherwise.
    """

    protocol: str
    endpoint: str
    ui: str = ""
    value_bytes: int | None = None
    trace_bytes: int | None = None


PRESETS: Final[Mapping[str, Preset]] = {
    "jaeger": Preset("grpc", "http://localhost:4317", ui="http://localhost:16686"),
    "tempo": Preset("grpc", "http://localhost:4317", ui="http://localhost:3000", value_bytes=2_048, trace_bytes=5_000_000),
    "phoenix": Preset("http/protobuf", "http://localhost:6006", ui="http://localhost:6006"),
    "collector": Preset("grpc", "http://localhost:4317"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """An OTLP receiver. `endpoint` is a whole URL for HTTP, `host:port` for gRPC; header values may be secret."""

    protocol: str
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    compression: str = "none"
    secure: bool = False
    certificate: str = ""
    client_key: str = ""
    client_certificate: str = ""

    @property
    def max_bytes(self) -> int:
        """What one request may hold, encoded and uncompressed."""
        return _GRPC_BYTES if self.protocol == "grpc" else _HTTP_BYTES


def resolve(
    environ: Mapping[str, str],
    *,
    protocol: str | None = None,
    endpoint: str | None = None,
    headers: str | None = None,
    preset: str | None = None,
) -> Target:
    """The target that options, environment and preset name together. Raises UsageError for what makes no sense."""
    chosen = PRESETS[preset] if preset else None
    protocol = protocol or _variable(environ, "PROTOCOL") or (chosen.protocol if chosen else "http/protobuf")
    if protocol not in PROTOCOLS:
        raise UsageError(f"OTLP has no protocol {protocol!r}.", hint=f"Known are: {', '.join(PROTOCOLS)}.")
    url = _endpoint(environ, protocol, endpoint, chosen)
    address, secure = _grpc_address(url, environ) if protocol == "grpc" else (_checked_url(url), url.startswith("https:"))
    compression = _variable(environ, "COMPRESSION") or "none"
    if compression not in ("gzip", "none"):
        raise UsageError(f"OTEL_EXPORTER_OTLP_COMPRESSION={compression} is not known.", hint="Use gzip or none.")
    given = parse_headers(_variable(environ, "HEADERS")) | parse_headers(headers or "")
    return Target(
        protocol=protocol,
        endpoint=address,
        headers=given,
        timeout_s=_timeout(_variable(environ, "TIMEOUT")),
        compression=compression,
        secure=secure,
        certificate=_variable(environ, "CERTIFICATE"),
        client_key=_variable(environ, "CLIENT_KEY"),
        client_certificate=_variable(environ, "CLIENT_CERTIFICATE"),
    )


def parse_headers(text: str) -> dict[str, str]:
    """`key=value,key2=value2`, values percent-encoded. Raises UsageError; it never repeats a value, which may be secret."""
    found: dict[str, str] = {}
    for number, part in enumerate(text.split(","), 1):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        name = unquote(key).strip().lower()
        clean = unquote(value).strip()
        if not equals or not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise UsageError(f"Header {number} is not of the form name=value.", hint="Separate headers by commas.")
        if any(ord(c) < 0x20 or ord(c) == 0x7F for c in clean):
            raise UsageError(f"The value of header {name} holds a control character.")
        found[name] = clean
    return found


def _variable(environ: Mapping[str, str], name: str) -> str:
    """The variable of the signal, else the one for all signals; an empty one counts as not set."""
    return environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _endpoint(environ: Mapping[str, str], protocol: str, option: str | None, preset: Preset | None) -> str:
    own = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not option and own:
        return own if protocol == "grpc" or urlsplit(own).path else own + "/"
    base = option or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or ""
    if not base and preset and preset.protocol.partition("/")[0] == protocol.partition("/")[0]:
        base = preset.endpoint
    if not base:
        base = "http://localhost:4317" if protocol == "grpc" else "http://localhost:4318"
    if protocol == "grpc":
        return base
    parts = urlsplit(base if "://" in base else f"http://{base}")
    path: str = parts.path.rstrip("/")
    if not path.endswith(TRACES_PATH):
        path += TRACES_PATH
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _grpc_address(url: str, environ: Mapping[str, str]) -> tuple[str, bool]:
    if "://" not in url:
        _checked_url(f"http://{url}")
        local = is_loopback(urlsplit(f"//{url}").hostname or "")
        insecure = local or _variable(environ, "INSECURE").strip().lower() == "true"
        return url, not insecure
    _checked_url(url)
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name
    port = parts.port or (443 if parts.scheme == "https" else 4317)
    return f"{host}:{port}", parts.scheme == "https"


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or any(c.isspace() for c in url):
        raise UsageError(f"{url} is no address of an OTLP receiver.", hint="Give one like http://localhost:4318.")
    if parts.username or parts.password:
        raise UsageError("An endpoint must not hold a user or password.", hint="Use --headers authorization=….")
    return url


def _timeout(text: str) -> float:
    if not text:
        return DEFAULT_TIMEOUT_S
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1
    if not 0 < milliseconds < 86_400_000:
        raise UsageError(f"OTEL_EXPORTER_OTLP_TIMEOUT={text} is no number of milliseconds.")
    return milliseconds / 1000
