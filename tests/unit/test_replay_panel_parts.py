"""What panels fold, cut, count and mark; and the keys that open and jump."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.cells import cell_len

from cabtrace.diagnose.critical_path import critical_path, shares
from cabtrace.model.log import LogRecord
from replay.document import Line, Tone, line, one_row, words
from replay.journal import journal
from replay.panels.diff import split_patch
from replay.panels.logs import logs_panel
from replay.panels.message_parts import Reading, argument_lines, message_lines
from replay.panels.messages import messages_panel
from replay.panels.scores import scores_panel
from replay.path import PathOverlay
from replay.run import ReplayRun
from replay.timeline import Timeline
from tests.support.pilot import Driver, drive
from tests.support.sample_run import START_NS, build_sample_run

MS = 1_000_000
PATCH = """diff --git a/old name.txt b/new name.txt
similarity index 90%
rename from old name.txt
rename to new name.txt
index 1111111..2222222 100644
--- a/old name.txt
+++ b/new name.txt
@@ -1,2 +1,2 @@
 kept
--- was dashes
+++ is plusses
diff --git a/gone b/gone
deleted file mode 100644
index 3333333..0000000
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/b.bin b/b.bin
new file mode 100755
index 0000000..4444444
Binary files /dev/null and b/b.bin differ
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
"""


def text(lines: Any) -> str:
    return "\n".join(row.text.rstrip() for row in lines)


@pytest.fixture
def run(tmp_path: Path) -> ReplayRun:
    return ReplayRun(build_sample_run(tmp_path))


# -- messages


def test_the_first_call_shows_its_answer_near_the_top_and_folds_the_rest(run: ReplayRun):
    lines = list(messages_panel(run, run.snapshot, 200 * MS, Reading(width=60)))
    shown = [row.text for row in lines]
    assert any(row.startswith("▸ 1 tool  0 characters  shell") for row in shown)
    assert any(row.startswith("▸ system  47 characters  You are a careful") for row in shown)
    assert next(place for place, row in enumerate(shown) if row.startswith("◀ assistant")) < 13
    assert {row.opens for row in lines} >= {"tools", "message 0"}
    assert all(cell_len(row.text) <= 60 for row in lines if row.opens)


def test_what_is_folded_opens(run: ReplayRun):
    shown = text(messages_panel(run, run.snapshot, 200 * MS, Reading(opened={"message 0"})))
    assert "▾ system" in shown
    assert "▌ system\n  You are a careful engineer. Use the shell tool." in shown


def test_the_answer_of_the_call_before_is_one_line(run: ReplayRun):
    shown = text(messages_panel(run, run.snapshot, 16_000 * MS, Reading(width=90)))
    assert "▸ 4 earlier messages, as in call #2" in shown
    assert "▸ the answer of call #2" in shown
    opened = text(messages_panel(run, run.snapshot, 16_000 * MS, Reading(opened={"earlier"}, width=90)))
    assert "▸ system" in opened
    assert "▸ assistant" in opened


def test_a_long_message_is_cut_until_it_is_opened():
    message = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "\n".join(map(str, range(50)))}]}
    cut = list(message_lines(message, Reading(width=40), part="message 7"))
    assert [row.text for row in cut[-3:]] == ["  ▸ 47 more lines", "    49", ""]
    assert cut[-3].opens == "message 7"
    whole = list(message_lines(message, Reading(opened={"message 7"}, width=40), part="message 7"))
    assert [row.text.strip() for row in whole][-4:] == ["48", "49", "▾ less", ""]
    everything = list(message_lines(message, Reading(opened=None), part="message 7"))
    assert not any(row.opens for row in everything)


def test_one_very_long_line_is_cut_too():
    message = {"role": "user", "parts": [{"type": "text", "content": "word " * 500}]}
    cut = list(message_lines(message, Reading(width=40), part="m"))
    assert len(cut[1].text) <= 120
    assert cut[2].opens == "m"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"command": "cat > a <<'X'\nline\nX"}, ["    $ cat > a <<'X'", "      line", "      X"]),
        ('{"cmd": "ls"}', ["    $ ls"]),
        ({"command": ["bash", "-lc", "ls\npwd"], "timeout": 5}, ["    $ ls", "      pwd", "    timeout  5"]),
        ({"command": ["git", "commit", "-m", "a b"]}, ["    $ git commit -m 'a b'"]),
        ({"path": "a.py", "content": "x\ny"}, ["    path  a.py", "    content", "      x", "      y"]),
        ({"command": 7}, ["    command  7"]),
        ("not json {", ["    not json {"]),
        ({}, ["    {}"]),
        (None, ["    null"]),
    ],
)
def test_arguments_read_as_what_was_run(arguments: Any, shown: list[str]):
    assert [row.text for row in argument_lines(arguments)] == shown


def test_markdown_is_off_until_it_is_asked_for():
    message = {"role": "assistant", "parts": [{"type": "text", "content": "# Title\n**bold**"}]}
    assert "**bold**" in text(message_lines(message, Reading()))
    laid_out = list(message_lines(message, Reading(markdown=True)))
    assert "**" not in text(laid_out)
    assert ("bold", Tone.STRONG) in laid_out[2].pieces


@pytest.mark.parametrize(
    "message", [None, 5, "x", {"parts": 5}, {"parts": {"a": 1}}, {"role": ["x"], "parts": [None, [1], {"type": "text"}]}]
)
def test_messages_may_be_anything(message: Any):
    assert list(message_lines(message, Reading(), part="m"))


def test_keys_open_parts_and_lay_markdown_out(tmp_path: Path):
    async def script(driver: Driver) -> None:
        await driver.press("right_square_bracket", "e", "tab", "tab", "down")
        assert "You are a careful engineer. Use the shell tool.\n" not in driver.text().replace(" │", "\n")
        await driver.press("down", "enter")
        assert driver.session.opened == {"message 0"}
        assert "▾ system" in driver.text()
        await driver.press("enter")
        assert driver.session.opened == frozenset()
        await driver.press("M")
        assert driver.session.markdown
        await driver.press("M")
        assert not driver.session.markdown

    drive(script, tmp_path, build_sample_run(tmp_path))


# -- logs


def test_a_record_is_one_line_and_the_last_before_the_playhead_opens(run: ReplayRun):
    long = {f"key.{place}": "some value" for place in range(20)}
    logs = [
        LogRecord(
            time_ns=START_NS + 10 * MS, severity_text="INFO", severity_number=9, attributes={"event.name": "codex.start", **long}
        ),
        LogRecord(time_ns=START_NS + 20 * MS, severity_text="WARN", severity_number=13, body="look\nout", attributes=long),
    ]
    entries = journal(run.snapshot.timeline, logs, ())
    lines = list(logs_panel(run.snapshot, entries, 15 * MS, 60))
    rows = [row for row in lines if row.target_ns is not None]
    assert len(rows) == len(entries)
    assert all(cell_len(row.text) <= 60 and not row.wraps for row in rows)
    assert rows[0].text.startswith("00:00.010  · INFO  codex.start  key.0=some value")
    assert rows[0].text.endswith("…")
    assert rows[1].text.startswith("00:00.020  ! WARN  look⏎out")
    assert [row.current for row in rows][:2] == [True, False]
    opened = lines[lines.index(rows[0]) + 1 : lines.index(rows[1])]
    assert [row.text.split() for row in opened][:2] == [["event.name", "codex.start"], ["key.0", "some", "value"]]
    later = list(logs_panel(run.snapshot, entries, 20 * MS, 60))
    assert lines[lines.index(rows[1]) + 1].target_ns is not None
    assert [row.text.strip() for row in later if row.target_ns is None][:3] == ["look", "out", "key.0   some value"]


def test_a_row_that_is_cut_ends_in_an_ellipsis():
    whole = line(words("one ", Tone.KEY), words("two"))
    assert one_row(whole, 7).text == "one two"
    for width in range(1, 7):
        cut = one_row(whole, width)
        assert cut.text.endswith("…")
        assert cell_len(cut.text) <= width


# -- scores


def scored(run: ReplayRun, **components: float | None) -> str:
    values = {
        "weights": {"pass_rate": 0.4, "integrity": 0.2, "cost": 0.15, "latency": 0.15, "blast_radius": 0.1},
        "components": {
            "pass_rate": 1,
            "integrity": 1,
            "cost_efficiency": 0.5,
            "latency_efficiency": 0.5,
            "clean_blast": 1,
            **components,
        },
    }
    run.snapshot.header.scores["composite"] = {"version": "2", "value": 0.85, "values": values}
    return text(scores_panel(run.snapshot, None, 100))


def test_the_composite_is_a_sum_that_one_can_follow(run: ReplayRun):
    shown = scored(run, refusal_factor=1)
    for row in (
        "pass_rate     failed             1.000     0.4  0.400  ██████████",
        "cost          13,012 tokens      0.500    0.15  0.075  █████",
        "latency       48.3 s             0.500    0.15  0.075  █████",
        "blast_radius  1 of 2 unexpected  1.000     0.1  0.100  ██████████",
        "sum 0.850  × refusal factor 1  = composite 0.850",
    ):
        assert row in shown
    assert '{"' not in shown


def test_unknown_components_are_said_to_be_unknown(run: ReplayRun):
    shown = scored(run, cost_efficiency=None, refusal_factor=None)
    assert "13,012 tokens      unknown    0.15  unknown" in shown
    assert "1 unknown left out: 0.775 of 0.85 is 0.912 of 1" in shown
    assert "× refusal factor unknown" in shown


def test_values_have_their_units(run: ReplayRun):
    shown = text(scores_panel(run.snapshot))
    assert "latency       48.3 s" in shown
    assert "wall_clock_ms           48.3 s  (48,264 ms)" in shown
    assert "unexpected_changes      notes.txt" in shown
    assert "timed_out               no" in shown


@pytest.mark.parametrize(
    "value", [None, [], "x", {"weights": [1], "components": "no"}, {"weights": {"cost": 1e300, "latency": True}}]
)
def test_scores_may_be_anything(run: ReplayRun, value: Any):
    for axis in list(run.snapshot.header.scores):
        run.snapshot.header.scores[axis] = {"value": "?", "values": value}
    assert "unknown" in text(scores_panel(run.snapshot, None, 40))


# -- diff


def test_a_patch_is_told_file_by_file():
    files = split_patch(PATCH)
    assert [(f.path, f.sign, f.added, f.removed) for f in files] == [
        ("new name.txt", "~", 1, 1),
        ("gone", "-", 0, 1),
        ("b.bin", "+", 0, 0),
        ("run.sh", "~", 0, 0),
    ]
    assert files[0].rows == [
        "similarity index 90%",
        "rename from old name.txt",
        "rename to new name.txt",
        *PATCH.split("\n")[7:11],
    ]
    assert files[2].rows == ["Binary files /dev/null and b/b.bin differ"]
    assert split_patch("no patch") == []
    assert split_patch("diff --git ")[0].path == ""


def test_keys_jump_from_file_to_file_and_hunk_to_hunk(tmp_path: Path):
    async def script(driver: Driver) -> list[str]:
        await driver.press("end", "d", "tab", "tab")
        tops = []
        for key in ("J", "J", "j", "K", "k"):
            await driver.press(key)
            tops.append(top_line(driver).text)
        return tops

    tops = drive(script, tmp_path, build_sample_run(tmp_path), size=(120, 24))
    assert tops[0].startswith("+ notes.txt") or tops[0].startswith("~ src/lib.rs")
    assert tops[2].startswith("@@")
    assert tops[1] != tops[0]
    assert tops[3] != tops[2]


def top_line(driver: Driver) -> Line:
    from replay.tui.widgets.details import DocumentView

    view = driver.app.screen.query_one("#document", DocumentView)
    assert view._section is not None
    return view._source[view._section[0]]


# -- the critical path in numbers


def test_the_shares_of_the_path_are_those_that_why_tells(run: ReplayRun):
    timeline = run.snapshot.timeline
    told = shares(critical_path(list(timeline.spans), timeline.end_ns))
    assert PathOverlay(timeline).shares == pytest.approx(told)
    assert PathOverlay(Timeline([])).shares == {}


def test_the_critical_path_has_its_shares_above_the_lane(tmp_path: Path):
    async def script(driver: Driver) -> None:
        await driver.press("x")
        assert driver.session.path is not None
        for name, share in driver.session.path.shares.items():
            assert f"{name} {share * 100:.0f} %" in driver.text()

    drive(script, tmp_path, build_sample_run(tmp_path), size=(80, 24))


# -- the story as data


def story(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    from cabtrace.cli.main import main

    assert main(["replay", str(path), "--json", *options]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert isinstance(told, dict)
    return told


def test_the_story_as_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = build_sample_run(tmp_path)
    told = story(path, capsys, "--call", "3")
    header = ReplayRun(path).snapshot.header
    assert {key: told[key] for key in header.identity()} == header.identity()
    assert (told["version"], told["verdict"], told["recorded_cause"], told["state"]) == (1, "failed", "tests_failed", "finished")
    assert told["cause"]["rule"] == "tests_failed"
    assert [call["index"] for call in told["calls"]] == [1, 2, 3, 4, 5, 6]
    assert told["calls"][2]["request_hash"].startswith("3f005ccd")
    assert told["calls"][2]["reasoning_tokens"] is None
    at = told["at"]
    assert (at["at_s"], at["link"], at["call"]) == (15.751, "15.751s", 3)
    assert [(s["kind"], s["state"]) for s in at["path"]][-1] == ("model_call", "running")
    assert at["path"][-1] in at["running"]
    assert {marker["kind"] for marker in told["markers"]} >= {"model call", "tool call", "test"}
    assert told["changes"]["added"] == ["notes.txt"]
    assert isinstance(told["warnings"], list)


def test_without_a_place_there_is_no_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert story(build_sample_run(tmp_path), capsys)["at"] is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--json", "--plain"], "exclude each other"),
        (["--json", "--web"], "exclude each other"),
        (["--json", "--follow"], "needs a terminal"),
    ],
    ids=["plain", "web", "follow"],
)
def test_what_json_does_not_go_with(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str):
    from cabtrace.cli.main import main

    assert main(["replay", "--store", str(tmp_path), str(build_sample_run(tmp_path)), *options]) == 2
    assert sentence in capsys.readouterr().err
