"""terminal.cast is an asciicast that asciinema itself plays: Debian's package, on a real terminal."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from tests.support.cli_rig import CommandLine, make_task, on_terminal

ASCIINEMA = shutil.which("asciinema")
pytestmark = pytest.mark.skipif(ASCIINEMA is None, reason="asciinema is not installed (apt-get install asciinema)")


def asciinema(cabtrace: CommandLine, *args: str) -> tuple[int, str]:
    env = cabtrace.environment({"ASCIINEMA_CONFIG_HOME": str(cabtrace.folder)})
    del env["PYTHONPATH"]  # it is a Python program of another Python
    done = on_terminal([str(ASCIINEMA), *args], env, cabtrace.folder)
    return done.code, done.out


def words(text: str) -> str:
    """Without escape sequences and layout."""
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text).split())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    cabtrace = CommandLine(tmp_path_factory.mktemp("asciinema"))
    done = cabtrace.run("demo", "--no-replay", "--speed", "0")
    assert done.code == 0, done.err
    return cabtrace


@pytest.mark.parametrize("command", [("cat",), ("play", "-i", "0.01")])
def test_the_demo_plays(command: tuple[str, ...], demo: CommandLine) -> None:
    runs = list_runs(demo.store)
    assert len(runs) == 2
    for run in runs:
        code, shown = asciinema(demo, *command, str(run.path / "terminal.cast"))
        assert code == 0, shown
        said = words("".join(event.data for event in RunView(run.path).terminal_events()))
        assert "readings.py" in said
        assert said in words(shown)


def test_odd_characters_play(tmp_path: Path) -> None:
    """Wide characters, a secret that was replaced, bytes that are no text, and a killed run without its last line."""
    cabtrace = CommandLine(tmp_path)
    key = "sk-" + "ant-api03-" + "aB3d" * 24
    script = f"printf 'gr\\303\\274n \\346\\227\\245\\346\\234\\254 \\377 {key} \\033[1mbold\\033[0m\\n'; stty size"
    cabtrace.cell(make_task(tmp_path / "task"), "--agent", "command", "--", "sh", "-c", script)
    cast = list_runs(cabtrace.store)[0].path / "terminal.cast"

    code, shown = asciinema(cabtrace, "cat", str(cast))

    assert code == 0
    assert "grün 日本 \ufffd [redacted:anthropic]" in words(shown)
    assert "30 100" in words(shown)  # the size that the header says is the size that the agent had
    assert os.fsencode(key) not in shown.encode()
