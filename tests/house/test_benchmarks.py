"""What the benchmarks stand on, and each of them once in the smallest size: they measure what they say, and say it."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import QUICK, names_and_options
from benchmarks._painted import visible
from benchmarks._processes import family
from benchmarks._table import OURS, Table
from benchmarks._terminal import Terminal
from benchmarks._trajectory import write_otlp
from benchmarks._trajectory_mini import write_mini
from benchmarks.replay_peers import _LISTEN

ROOT = Path(__file__).parents[2]
FULL_SCREEN = """
import sys, termios, tty
tty.setraw(0)
def say(text): sys.stdout.write(text); sys.stdout.flush()
say("\\x1b[?1049h\\x1b[c")
answer = sys.stdin.read(9)
say("\\x1b[2J\\x1b[Hready")
while key := sys.stdin.read(1):
    say(f"\\x1b[2;1Hpressed {key}")
"""


def spans_of(path: Path) -> list[dict]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [span for line in lines for part in line["resourceSpans"] for scope in part["scopeSpans"] for span in scope["spans"]]


def test_the_trajectory_is_the_same_in_both_formats_and_every_time(tmp_path: Path) -> None:
    counts = [write_otlp(tmp_path / name, 40, spans_a_line=7) for name in ("a", "b")]
    write_mini(tmp_path / "c", 40)
    spans = spans_of(tmp_path / "a")
    messages = json.loads((tmp_path / "c").read_text())["messages"]

    assert counts == [81, 81]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len({span["spanId"] for span in spans}) == 81
    assert [span["parentSpanId"] for span in spans[:-1]] == [spans[-1]["spanId"]] * 80
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
    results = [v["value"]["stringValue"] for s in spans for v in s["attributes"] if v["key"] == "gen_ai.tool.call.result"]
    assert results == [message["extra"]["raw_output"] for message in messages if message["role"] == "tool"]
    assert [span["status"]["code"] for span in spans].count(2) == 1


def test_a_terminal_answers_as_a_real_one_and_shows_what_was_painted() -> None:
    with Terminal([sys.executable, "-c", FULL_SCREEN], watched=True) as terminal:
        terminal.until(b"ready")
        wall_ms, _ = terminal.press(b"x")
        terminal.until_screen(lambda text: "pressed x" in text, quiet_s=0.1)

        assert terminal.painted_s is not None
        assert wall_ms > 0
        assert terminal.cpu_s() > 0
        assert terminal.memory_mb()[0] > 0


def test_a_terminal_ends_what_its_program_started() -> None:
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); print('started', flush=True); p.wait()"
    with Terminal([sys.executable, "-c", code]) as terminal:
        terminal.until(b"started")
        members = list(family(terminal.child))

    assert len(members) == 2
    until = time.monotonic() + 20  # a signal takes its time
    while (left := [member for member in members if runs(member)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []


def runs(process: int) -> bool:
    """Neither gone nor waiting for its parent to ask how it ended."""
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_program_that_ends_too_soon_is_said() -> None:
    with Terminal([sys.executable, "-c", "print('no such file')"]) as terminal, pytest.raises(TimeoutError, match="no such file"):
        terminal.until(b"never", timeout_s=30.0)


def test_the_table_has_a_ratio_where_both_were_measured() -> None:
    table = Table()
    table.add("open", OURS, 0.5, "s", "<= 1 s")
    table.add("open", "one", 2.0, "s")
    table.add("open", "two", "given up", "s")
    table.add("alone", OURS, 30.0, "MB")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.lines()]

    assert rows[2] == ["open", "0.50 s", "<= 1 s", "one", "2.00 s", "0.25"]
    assert rows[3] == ["", "", "", "two", "given up", "-"]
    assert rows[4] == ["alone", "30 MB", "", "-", "-", "-"]
    assert len({len(line) for line in table.lines()}) == 1


def test_options_go_to_the_one_that_is_named() -> None:
    found = ["a", "spans"]

    assert names_and_options(["a", "--runs", "3"], found) == (["a"], {"a": ["--runs", "3"], "spans": ["--runs", "3"]})
    assert names_and_options(["--quick"], found) == (found, {"a": [], "spans": QUICK["spans"]})
    with pytest.raises(SystemExit, match="no such benchmark: c"):
        names_and_options(["c"], found)
    with pytest.raises(SystemExit, match="for one benchmark"):
        names_and_options(["--runs", "3"], found)


def test_quick_names_benchmarks_and_options_that_there_are() -> None:
    for name, options in QUICK.items():
        said = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--help"], cwd=ROOT, capture_output=True, text=True)

        assert said.returncode == 0, said.stderr
        assert [option for option in options if option.startswith("--") and option not in said.stdout] == []


def test_peers_that_listen_are_known_by_name() -> None:
    from benchmarks._peers import PEERS

    assert set(_LISTEN) <= set(PEERS)
    assert all(re.fullmatch(rf"{name}==[\d.]+", requirement) for name, (requirement, _) in PEERS.items())


@pytest.mark.slow
def test_the_replay_is_measured_from_end_to_end(tmp_path: Path) -> None:
    """Without peers, so without a network."""
    pytest.importorskip("pyghostty", reason="reads the screens that it measures")
    sizes = ["--steps", "20", "--cast-mb", "1", "--live-steps", "300", "--presses", "3", "--openings", "1"]
    argv = [sys.executable, "-m", "benchmarks.replay_peers", *sizes, "--scratch", str(tmp_path), "--measure", "{}"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "given up" not in done.stdout
    rows = {cells[1].strip(): cells[2].strip() for line in done.stdout.splitlines() if len(cells := line.split("|")) > 3}
    assert rows["live: of 601 late spans shown in the end"] == "601 spans"
    assert {"first paint", "step key, wall, p99", "recording: seek back to 50%, wall"} <= set(rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (b"\x1b[?1049h\x1b[>1u\x1b]0;title\x07\x1b[?2026$p\x1b[2J", ""),
        (b"\x1b[1;31mFAIL\x1b[0m\r\n\x1b[3;4Hcell\x1b(B", "FAIL cell"),
        (b"seen\x1b[38;2;1", "seen"),
        (b"\x1bP+q544e\x1b\\ \x1b]8;;http://x\x1b\\link", "link"),
    ],
    ids=["set up", "painted", "cut", "strings"],
)
def test_control_sequences_are_not_to_be_seen(output: bytes, words: str) -> None:
    assert visible(output) == words
