"""How the agent reaches the proxy, for every place an engine can be."""

from __future__ import annotations

import pytest

from cabtrace.runner.sandbox.docker.door import (
    EngineSite,
    can_bind,
    choose_door,
    engine_host,
    gateway_may_be_here,
    routed_address,
)

UNIX = "unix:///var/run/docker.sock"
GATEWAY = "172.18.0.1"


@pytest.mark.parametrize("url", [UNIX, "tcp://127.0.0.1:2375", "tcp://localhost:2375", "https://[::1]:2376"])
def test_an_engine_on_this_machine_gets_a_network_without_a_way_out(url: str) -> None:
    door = choose_door(EngineSite(url, "Debian GNU/Linux 12"), GATEWAY, gateway_is_here=True, own_address="10.0.0.5")

    assert door.internal
    assert (door.listen_host, door.reach_host) == (GATEWAY, GATEWAY)
    assert door.left_open == ()
    assert door.extra_hosts == {}


@pytest.mark.parametrize("gateway_is_here", [True, False], ids=["coincidence", "not bound"])
@pytest.mark.parametrize(
    "site",
    [
        EngineSite(UNIX, "Docker Desktop", platform="darwin"),
        EngineSite(UNIX, "Docker Desktop", platform="linux"),
        EngineSite(UNIX, "Alpine Linux v3.20", platform="darwin"),
    ],
    ids=["Desktop on macOS", "Desktop on Linux", "another virtual machine on macOS"],
)
def test_an_engine_in_a_virtual_machine_goes_by_name(site: EngineSite, gateway_is_here: bool) -> None:
    door = choose_door(site, GATEWAY, gateway_is_here=gateway_is_here, own_address="192.168.65.3")

    assert not door.internal
    assert (door.listen_host, door.reach_host) == ("127.0.0.1", "host.docker.internal")
    assert door.extra_hosts == {"host.docker.internal": "host-gateway"}
    assert "way out" in door.left_open[0]


@pytest.mark.parametrize("gateway_is_here", [True, False], ids=["coincidence", "not bound"])
@pytest.mark.parametrize("url", ["tcp://builder.example:2376", "ssh://ann@builder.example", "tcp://10.1.2.3:2375"])
def test_a_remote_engine_comes_to_this_machines_own_address(url: str, gateway_is_here: bool) -> None:
    door = choose_door(EngineSite(url, "Ubuntu 24.04"), GATEWAY, gateway_is_here=gateway_is_here, own_address="10.1.2.4")

    assert not door.internal
    assert (door.listen_host, door.reach_host) == ("10.1.2.4", "10.1.2.4")
    assert "way out" in door.left_open[0]
    assert "10.1.2.4" in door.left_open[1]


def test_a_rootless_engine_comes_to_this_machines_own_address() -> None:
    site = EngineSite("unix:///run/user/1000/docker.sock", "Debian GNU/Linux 12", rootless=True)

    door = choose_door(site, GATEWAY, gateway_is_here=True, own_address="192.168.1.7")

    assert (door.internal, door.listen_host) == (False, "192.168.1.7")
    assert "rootless" in door.left_open[0]


@pytest.mark.parametrize("own_address", ["", "127.0.0.1"])
def test_without_an_address_of_its_own_the_machine_goes_by_name(own_address: str) -> None:
    door = choose_door(EngineSite(UNIX, "Debian"), GATEWAY, gateway_is_here=False, own_address=own_address)

    assert (door.listen_host, door.reach_host) == ("127.0.0.1", "host.docker.internal")
    assert door.left_open


def test_every_open_door_says_so() -> None:
    for url in (UNIX, "tcp://10.1.2.3:2375"):
        for rootless in (False, True):
            for platform in ("linux", "darwin"):
                for here in (False, True):
                    site = EngineSite(url, "Debian", rootless, platform)
                    door = choose_door(site, GATEWAY, gateway_is_here=here, own_address="10.0.0.5")
                    assert door.internal == (here and gateway_may_be_here(site))
                    assert bool(door.left_open) != door.internal


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (UNIX, ""),
        ("", ""),
        ("npipe:////./pipe/docker_engine", ""),
        ("tcp://10.1.2.3:2375", "10.1.2.3"),
        ("ssh://ann@host:22", "host"),
    ],
)
def test_the_host_of_an_engine(url: str, host: str) -> None:
    assert engine_host(url) == host


def test_addresses_of_this_machine() -> None:
    assert can_bind("127.0.0.1")
    assert not can_bind("192.0.2.77")  # RFC 5737: nobody's
    assert not can_bind("not an address")
    assert routed_address("127.0.0.1") == "127.0.0.1"
    assert routed_address("") in ("", "127.0.0.1", "::1")
