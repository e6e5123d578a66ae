"""The one way out of a cell: how its container reaches the recording proxy on this machine. The choice is pure."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = "127.0.0.1"
_DESKTOP_NAME: Final = "host.docker.internal"
_WAY_OUT: Final = "the network has a way out: the agent can reach other hosts than the model proxy"


@dataclass(frozen=True, slots=True)
class EngineSite:
    """Where the engine is. `url` is its address as the client knows it; `rootless` and `system` are what it says."""

    url: str
    system: str = ""
    rootless: bool = False
    platform: str = "linux"  # of this machine, as sys.platform


@dataclass(frozen=True, slots=True)
class Door:
    """`internal`: the network has no way out. `listen_host` is ours, `reach_host` what the container calls it."""

    internal: bool
    listen_host: str
    reach_host: str
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    left_open: tuple[str, ...] = ()


def gateway_may_be_here(site: EngineSite) -> bool:
    """Whether an address of the engine's networks can be this machine's. Elsewhere an equal address is a coincidence."""
    return site.platform == "linux" and not _is_desktop(site) and not site.rootless and _is_near(site)


def choose_door(site: EngineSite, gateway: str, *, gateway_is_here: bool, own_address: str) -> Door:
    """How the agent gets to the proxy.

    Args:
        site: The engine.
        gateway: The gateway address of the cell's internal network.
        gateway_is_here: Whether this machine can listen on it (`can_bind`).
        own_address: This machine's address as seen from the engine's side (`routed_address`); "" where there is none.
    """
    if gateway_is_here and gateway_may_be_here(site):
        return Door(True, gateway, gateway)
    if _is_desktop(site) or (_is_near(site) and site.platform != "linux"):
        why = "the engine runs in a virtual machine, whose internal networks do not reach this machine"
        return Door(False, _LOOPBACK, _DESKTOP_NAME, {_DESKTOP_NAME: "host-gateway"}, (f"{_WAY_OUT} ({why})",))
    why = "a rootless engine" if site.rootless else "a remote engine" if not _is_near(site) else "an engine elsewhere"
    if own_address and not _is_loopback(own_address):
        listening = f"the model proxy listens on {own_address}, where others may reach it; it asks for the run's token"
        return Door(False, own_address, own_address, {}, (f"{_WAY_OUT} ({why})", listening))
    return Door(False, _LOOPBACK, _DESKTOP_NAME, {_DESKTOP_NAME: "host-gateway"}, (f"{_WAY_OUT} ({why})",))


def engine_host(url: str) -> str:
    """The host in a tcp, http(s) or ssh engine URL; "" for a local socket."""
    parts = urlsplit(url)
    return (parts.hostname or "") if parts.scheme in ("tcp", "http", "https", "ssh") else ""


def can_bind(address: str) -> bool:
    """Whether this machine has that address."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind((address, 0))
    except (OSError, ValueError):
        return False
    return True


def routed_address(host: str) -> str:
    """This machine's address on the way to `host`; "" where there is no way. Nothing is sent."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.connect(address)
            return str(trial.getsockname()[0])
    except (OSError, IndexError):
        return ""


def exposed_ports() -> tuple[int, ...]:
    """TCP ports that other programs of this machine serve beyond loopback.

    An internal network keeps a container from other hosts, not from the machine that the network is on.
    """
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ()
    found = {
        int(connection.laddr.port)
        for connection in connections
        # This process' own are the proxies of its cells, which ask for a token.
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.pid != os.getpid()
        if not _is_loopback(connection.laddr.ip)
    }
    return tuple(sorted(found))


def _is_near(site: EngineSite) -> bool:
    host = engine_host(site.url)
    return not host or host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_desktop(site: EngineSite) -> bool:
    return "docker desktop" in site.system.lower()
