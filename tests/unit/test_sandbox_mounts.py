"""Which folders may be shown to an agent: 50 requests that must not pass."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from cabtrace.errors import SandboxError
from cabtrace.runner.sandbox.mounts import check_mount

PLAIN = [
    "/", "//", "/.", "/./", "/proc", "/proc/self", "/proc/1", "/proc/self/root", "/proc/self/cwd/..", "/sys", "/sys/fs/cgroup",
    "/dev", "/dev/null", "/dev/shm", "/etc", "/etc/passwd", "/etc/ssl", "/run", "/var/run", "/var", "/var/run/../run",
    "/var/run/docker.sock", "/run/docker.sock", "/var/run/../run/docker.sock", "/usr/../etc", "/tmp/../proc", "/var/lib/docker",
    "/root", "/root/.ssh", "", "relative", "./here", "~/.ssh", "..", "/does/not/exist", "/tmp/\0x",
]  # fmt: skip
IN_HOME = [
    ".",
    "..",
    "../..",
    ".ssh",
    ".ssh/id_ed25519",
    ".ssh/../.ssh",
    "code/../.ssh",
    ".aws",
    ".gnupg",
    ".kube",
    ".docker",
    ".config",
    ".config/gh",
    ".netrc",
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    base = tmp_path / "users" / "ann"
    for name in (".ssh", ".aws", ".gnupg", ".kube", ".docker", ".config/gh", "code/project"):
        (base / name).mkdir(parents=True)
    (base / ".ssh" / "id_ed25519").write_text("key")
    (base / ".netrc").write_text("machine")
    return base


def test_there_are_fifty_refused_requests() -> None:
    assert len(PLAIN) + len(IN_HOME) >= 50


@pytest.mark.parametrize("source", PLAIN)
def test_a_system_path_is_refused(source: str, home: Path) -> None:
    with pytest.raises(SandboxError, match="refused"):
        check_mount(source, home=home)


@pytest.mark.parametrize("name", IN_HOME)
def test_a_private_path_is_refused(name: str, home: Path) -> None:
    with pytest.raises(SandboxError, match="refused"):
        check_mount(f"{home}/{name}", home=home)


@pytest.mark.parametrize(
    "goal", ["/", "/etc", "/proc", "/var/run", "/dev", "HOME", "HOME/.ssh", "HOME/..", "HOME/.ssh/id_ed25519"]
)
def test_a_link_does_not_help(goal: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "innocent").mkdir()
    first = tmp_path / "innocent" / "first"
    first.symlink_to(goal.replace("HOME", str(home)))
    second = tmp_path / "innocent" / "second"
    second.symlink_to("first")

    for link in (first, second, tmp_path / "innocent" / ".." / "innocent" / "second"):
        with pytest.raises(SandboxError, match="refused"):
            check_mount(str(link), home=home)


def test_a_link_on_the_way_does_not_help(home: Path, tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to(home)
    with pytest.raises(SandboxError, match="refused"):
        check_mount(tmp_path / "there" / ".ssh", home=home)


def test_a_loop_of_links_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SandboxError, match="cannot be read"):
        check_mount(tmp_path / "a", home=home)


def test_a_socket_and_a_pipe_are_refused(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("engine.sock")
        for name in ("pipe", "engine.sock"):
            with pytest.raises(SandboxError, match="regular file"):
                check_mount(tmp_path / name, home=home)


def test_an_engine_socket_by_another_path_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "docker.sock").write_text("")
    with pytest.raises(SandboxError, match="root on this machine"):
        check_mount(tmp_path / "docker.sock", home=home)


def test_a_home_that_is_a_link_is_guarded_under_both_names(home: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(home)
    for source in (home / ".ssh", tmp_path / "alias" / ".ssh", home):
        with pytest.raises(SandboxError, match="refused"):
            check_mount(source, home=tmp_path / "alias")


def test_a_project_passes_with_its_links_resolved(home: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(home / "code" / "project")

    assert check_mount(home / "code" / "project", home=home) == (home / "code" / "project").resolve()
    assert check_mount(tmp_path / "data", home=home) == (home / "code" / "project").resolve()
