"""The hardened profile and the start script, without an engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.errors import SandboxError
from cabtrace.runner.sandbox.archive import Identity
from cabtrace.runner.sandbox.docker import profile

PASSWD = "root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:1234:1300::/home/ann:/bin/sh\nbob:x:1000:1001::/home/bob:/bin/sh\n"


def test_the_profile_holds_whatever_the_cell_asks_for() -> None:
    for resources in (profile.Resources(), profile.Resources(cpus=0.5, memory_bytes=1 << 28)):
        for internal in (True, False):
            settings = profile.container_settings(
                resources=resources,
                user="1000:1000",
                workdir="/w",
                labels={"a": "b"},
                network="n",
                internal=internal,
                extra_hosts={},
            )
            assert settings["cap_drop"] == ["ALL"]
            assert "cap_add" not in settings
            assert settings["security_opt"] == ["no-new-privileges:true"]
            assert settings["privileged"] is False
            assert settings["pids_limit"] == 512
            assert settings["mem_limit"] == settings["memswap_limit"] == resources.memory_bytes
            assert settings["nano_cpus"] == int(resources.cpus * 1e9)
            assert settings["init"] is True
            assert settings["tty"] is True
            assert settings["stdin_open"] is False
            assert settings["network"] == "n"
            assert settings["ipc_mode"] == "private"
            assert not {"pid_mode", "network_mode", "uts_mode", "userns_mode", "devices", "volumes", "ports"} & set(settings)
            assert ("dns" in settings) == internal


def test_mounts_are_read_only() -> None:
    settings = profile.container_settings(
        resources=profile.Resources(),
        user="1",
        workdir="/w",
        labels={},
        network="n",
        internal=True,
        extra_hosts={},
        mounts=["/data"],
    )
    assert settings["volumes"] == {"/data": {"bind": "/data", "mode": "ro"}}


@pytest.mark.parametrize(
    ("image_user", "wanted", "foreign", "expected"),
    [
        ("", "", False, "1000:1000"),
        ("root", "", False, "1000:1000"),
        ("0:0", "", False, "1000:1000"),
        ("ann", "", False, "ann"),
        ("", "ann", False, "ann"),
        ("ann", "0", False, "0"),
        ("", "", True, "0:0"),
        ("ann", "", True, "ann"),
    ],
)
def test_who_the_agent_is(image_user: str, wanted: str, foreign: bool, expected: str) -> None:
    assert profile.choose_user(image_user, wanted, foreign_task=foreign) == expected


@pytest.mark.parametrize(
    ("user", "uid", "gid"),
    [
        ("ann", 1234, 1300),
        ("ann:55", 1234, 55),
        ("1000", 1000, 1001),
        ("1000:1000", 1000, 1000),
        ("4711", 4711, 0),
        ("0:0", 0, 0),
        ("root", 0, 0),
    ],
)
def test_the_numbers_behind_a_name(user: str, uid: int, gid: int) -> None:
    assert profile.resolve_identity(user, PASSWD) == Identity(uid, gid)


def test_an_unknown_name_is_one_clear_error() -> None:
    with pytest.raises(SandboxError, match="no user 'eve'"):
        profile.resolve_identity("eve", PASSWD)


@pytest.mark.parametrize(
    ("image", "wanted", "foreign", "expected"),
    [
        ("", "", False, "/workspace"),
        ("/app", "", False, "/workspace"),
        ("/app", "", True, "/app"),
        ("/app", "/work/", True, "/work"),
        ("/", "", True, "/workspace"),
    ],
)
def test_where_the_agent_works(image: str, wanted: str, foreign: bool, expected: str) -> None:
    assert profile.choose_workdir(image, wanted, foreign_task=foreign) == expected


@pytest.mark.parametrize("wanted", ["/", "relative", "/a/../etc", "/etc/x", "/cabtrace/home", "/tests", "/proc/1"])
def test_a_workdir_that_cannot_be(wanted: str) -> None:
    with pytest.raises(SandboxError, match="workdir"):
        profile.choose_workdir("", wanted, foreign_task=False)


def run_script(script: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The script as a container's shell would run it, but for the fixed place of its file."""
    path = folder / "run"
    path.write_bytes(script.replace(profile.START_SCRIPT.encode(), str(path).encode()))
    done = subprocess.run(["/bin/sh", str(path)], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False, timeout=30)
    assert not path.exists()
    return done


HOSTILE = [
    "",
    " ",
    "a b",
    "'",
    '"',
    "$HOME",
    "`id`",
    "$(id)",
    "\n",
    "a\nb",
    "\\",
    "*",
    "~",
    "-n",
    "!",
    "é",
    ";exit 7",
    "\x1b[2J",
    "%s",
    "a'b\"c$d",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_arguments_and_variables_arrive_unchanged(value: str, tmp_path: Path) -> None:
    argv = ["python3", "-c", "import os,sys; sys.stdout.write(repr((sys.argv[1], os.environ['V'])))", value]
    script = profile.start_script(argv, {"V": value}, str(tmp_path), 80, 24, {"LANG": "C.UTF-8"})

    assert run_script(script, tmp_path).stdout.decode() == repr((value, value))


@settings(max_examples=40, deadline=None)
@given(value=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_any_text_arrives_unchanged(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("script")
    script = profile.start_script(["printenv", "V"], {"V": value}, str(folder), 80, 24, {})

    assert run_script(script, folder).stdout == value.encode() + b"\n"


def test_a_missing_folder_ends_the_start(tmp_path: Path) -> None:
    script = profile.start_script(["true"], {}, str(tmp_path / "none"), 80, 24, {})
    assert run_script(script, tmp_path).returncode == 126


@pytest.mark.parametrize(
    ("argv", "env"), [(["x"], {"a.b": "1"}), (["x"], {"": "1"}), (["x"], {"A": "\0"}), (["x\0"], {}), (["x"], {"A B": "1"})]
)
def test_what_no_shell_can_pass_on_is_refused(argv: list[str], env: dict[str, str]) -> None:
    with pytest.raises(SandboxError):
        profile.start_script(argv, env, "/", 80, 24, {})


def test_a_script_is_readable_as_it_was_meant() -> None:
    assert profile.start_script(["a", "b c"], {"K": "v"}, "/w", 100, 30, {"LANG": "C.UTF-8"}).decode().splitlines() == [
        "rm -f -- /cabtrace/start/run",
        "unset TINI_KILL_PROCESS_GROUP TINI_VERBOSITY",
        ': "${LANG:=C.UTF-8}"; export LANG',
        "export K=v",
        "stty cols 100 rows 30 2>/dev/null",
        "cd -- /w || exit 126",
        "unset OLDPWD",
        "exec a 'b c'",
    ]


@pytest.mark.parametrize(
    ("program", "expected"),
    [("/bin/x", ["/bin/x"]), ("./x", ["/w/./x"]), ("x", ["/usr/bin/x", "/bin/x"])],
)
def test_where_a_program_may_be(program: str, expected: list[str]) -> None:
    assert profile.search_paths(program, "/usr/bin:relative::/bin/", "/w") == expected


def test_what_stays_open_is_said() -> None:
    assert profile.left_open("1000:1000", [], []) == ()
    said = profile.left_open("root", ["/data"], range(1, 20))
    assert len(said) == 3
    assert "root" in said[0]
    assert "/data" in said[1]
    assert ": TCP 1, 2, 3, 4, 5, 6, 7, 8 and more" in said[2]
