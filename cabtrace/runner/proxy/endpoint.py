"""The one endpoint that a proxy talks to, and where an agent's path lies on it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from cabtrace.errors import UsageError

_VERSION = re.compile(r"v\d+[a-z0-9]*", re.ASCII)
_HINT = "Give it as scheme://host[:port][/path], for example https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Scheme, host, port and path prefix, fixed when the proxy starts. `path` is empty or begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine; then no proxy of the environment may come between."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def environment_proxy(self) -> str | None:
        """The HTTP proxy that the environment names for this endpoint; never one for an endpoint on this machine."""
        if self.loopback or proxy_bypass(self.host):
            return None
        proxy = getproxies().get(self.scheme)
        return proxy if proxy and proxy.startswith("http://") else None

    def path_for(self, agent_path: str) -> str:
        """The endpoint's path for the path that the agent asked for, which begins with a slash.

        Endpoints are given with their API version (`https://host/api/v1`) or without; agents ask with it, mostly `/v1`.
        It is never doubled: `/v1/x` becomes `/api/v1/x` in both cases, and `/v4/x` where the endpoint says `v4`.
        """
        versions = [part for part in self.path.split("/") if _VERSION.fullmatch(part)]
        asked, _, rest = agent_path[1:].partition("/")
        if not versions or not _VERSION.fullmatch(asked):
            return self.path + agent_path
        if asked in ("v1", versions[-1]):
            return f"{self.path}/{rest}" if rest or agent_path.endswith("/") else self.path
        before, _, _ = self.path.rpartition(f"/{versions[-1]}")
        return before + agent_path


def parse_endpoint(url: str) -> Endpoint:
    """Reads what the user gave. Raises UsageError for what is no plain http or https URL."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise UsageError(f"the endpoint {url!r} is not a URL.", hint=_HINT) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"the endpoint {url!r} is not an http or https URL.", hint=_HINT)
    if parts.username is not None or parts.password is not None:
        raise UsageError("the endpoint has a user name or password in its URL.", hint="Give the key separately.")
    if parts.query or parts.fragment:
        raise UsageError(f"the endpoint {url!r} has a query or a fragment.", hint=_HINT)
    path = parts.path.rstrip("/")
    if re.search(r"[^\x21-\x7e]|\\", path) or any(part in (".", "..") for part in path.split("/")):
        raise UsageError(f"the endpoint {url!r} has a path that is not plain.", hint=_HINT)
    return Endpoint(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), path)
