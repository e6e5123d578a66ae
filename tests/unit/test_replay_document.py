"""Lines of safe text, panels, and the plain story."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cabtrace.text import SafeText
from replay import display
from replay.document import Line, Tone, fields, fit, line, pad, table, words, wrap
from replay.journal import journal
from replay.panels.calls import calls_panel
from replay.panels.diff import diff_panel
from replay.panels.logs import logs_panel
from replay.panels.messages import messages_panel
from replay.panels.scores import scores_panel
from replay.panels.span import span_panel
from replay.panels.why import why_panel
from replay.run import ReplayRun
from replay.run_columns import COLUMNS, column_widths, gap
from replay.story import tell
from replay.waterfall import bar, column
from tests.support.sample_run import build_sample_run

MS = 1_000_000


@pytest.fixture
def run(tmp_path: Path) -> ReplayRun:
    return ReplayRun(build_sample_run(tmp_path))


def text(lines: object) -> str:
    return "\n".join(row.text.rstrip() for row in lines)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (None, "unknown"),
        (0, "0 ms"),
        (90_000, "0.1 ms"),
        (12_000_000, "12 ms"),
        (999_400_000, "999 ms"),
        (999_600_000, "1.0 s"),
        (3_140_000_000, "3.1 s"),
        (99_960_000_000, "1m 40s"),
        (245_000_000_000, "4m 05s"),
        (7_620_000_000_000, "2h 07m"),
    ],
)
def test_durations(time_ns: int | None, shown: str):
    assert display.duration(time_ns) == shown


def test_clock_numbers_and_sizes():
    assert display.clock(12_300 * MS) == "00:12.300"
    assert display.clock(3_723_004 * MS) == "1:02:03.004"
    assert display.clock(0, hours=True) == "0:00:00.000"
    assert (display.count(None), display.count(4212)) == ("unknown", "4,212")
    assert [display.size(n) for n in (None, 512, 1229, 3_565_158, 5 * 2**40)] == [
        "unknown",
        "512 B",
        "1.2 KiB",
        "3.4 MiB",
        "5120.0 GiB",
    ]
    assert display.value_text({"a": [1, None, True]}) == '{"a":[1,null,true]}'
    assert display.value_text(b"\x00\xff") == "2 bytes: 00 ff"


def test_wrapping_keeps_words_and_the_indent():
    rows = wrap(line(words("key  ", Tone.KEY), words("one two three four"), indent=5), 14)

    assert [row.text for row in rows] == ["key  one two ", "     three ", "     four"]


any_line = st.lists(st.tuples(st.text(max_size=40), st.sampled_from(list(Tone))), max_size=5)


@given(any_line, st.integers(4, 60), st.integers(0, 30))
def test_wrapped_rows_fit_and_lose_nothing_but_spaces(pieces, width, indent):
    source = line(*(words(t, tone) for t, tone in pieces), indent=indent)
    rows = wrap(source, width)

    assert all(isinstance(t, SafeText) for row in rows for t, _ in row.pieces)
    assert all(cell_len(row.text) <= width for row in rows)
    assert "".join(row.text for row in rows).replace(" ", "") == source.text.replace(" ", "")


@given(st.text(max_size=40), st.integers(0, 30))
def test_fit_and_pad_give_the_width_that_was_asked_for(value, width):
    one_line = words(value)[0]
    assert cell_len(fit(one_line, width)) <= width
    assert cell_len(pad(fit(one_line, width), width)) == width


def test_tables_line_up():
    rows = [([words("a"), words("1,000")], False, None), ([words("long name"), words("7")], True, 5)]
    shown = list(table(("name", "count"), rows, right=[1]))

    assert [row.text for row in shown] == ["name       count  ", "a          1,000  ", "long name      7  "]
    assert [row.current for row in shown] == [False, False, True]


def test_fields_line_up_and_values_may_have_several_lines():
    assert [row.text for row in fields([("a", "1"), ("longer", "2\n3")])] == ["a       1", "longer  2", "        3"]


def test_bars_are_fine_to_an_eighth_never_empty_and_never_outside():
    assert bar(0, 80, 80, 10) == (0, "██████████")
    assert bar(0, 4, 80, 10) == (0, "▌")
    assert bar(40, 60, 80, 10) == (5, "██▌")
    assert bar(12, 24, 80, 10) == (1, "▐█")
    assert bar(80, 80, 80, 10) == (9, "▕")
    assert bar(0, 0, 0, 10)[1]
    assert bar(0, 5, 10, 0) == (0, "")


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 200))
def test_bars_of_anything(start, length, duration, width):
    first, cells = bar(min(start, duration), min(start + length, duration), duration, width)
    assert 0 <= first < width
    assert 1 <= len(cells) <= width - first
    assert 0 <= column(start, duration, width) < width


def test_the_calls_table_has_the_seed_pages_columns_and_marks_the_call_in_flight(run: ReplayRun):
    rows = list(calls_panel(run.snapshot, 16_000 * MS, 108))

    for title in ("#", "time", "request hash", "prompt", "completion", "latency", "finish"):
        assert title in rows[0].text
    assert [row.text.split()[0] for row in rows if row.current] == ["3"]
    assert "12,225 prompt + 787 completion tokens" in text(rows)
    assert "● in flight; figures as of 00:17.501" in text(rows)
    assert "in flight" not in text(calls_panel(run.snapshot, run.snapshot.timeline.duration_ns, 108))


@pytest.mark.parametrize("width", [60, 61, 80, 130])
def test_the_calls_table_has_all_columns_from_the_panel_of_120_cells_on(run: ReplayRun, width: int):
    rows = list(calls_panel(run.snapshot, 16_000 * MS, width))
    titles = rows[0].text.split()
    assert ("12,225 prompt + 787 completion tokens; ? is unknown" in text(rows)) == (width < 88)
    wanted = ["#", "time", "hash", "in", "out", "took", "finish", "ttft", "cache", "reas"]
    assert titles == wanted or titles == [
        "#",
        "time",
        "request",
        *["hash", "prompt", "completion", "latency", "finish", "ttft", "cached", "reasoning"],
        "model",
    ]
    assert all(cell_len(row.text.rstrip()) <= width for row in rows if not row.wraps)


@pytest.mark.parametrize("width", [30, 38, 44, 52])
def test_what_a_narrow_calls_table_leaves_out_is_told_of_the_call_at_the_playhead(run: ReplayRun, width: int):
    rows = list(calls_panel(run.snapshot, 16_000 * MS, width))
    shown = rows[0].text.split()
    below = rows[next(place for place, row in enumerate(rows) if row.current) + 2].text
    assert [name for name in ("hash", "ttft", "cache", "reas") if name not in shown] == [
        name for name in ("hash", "ttft", "cache", "reas") if f"{name} " in below
    ]
    assert "3f005ccd" in below
    assert "reas unknown" in below
    assert all(cell_len(row.text.rstrip()) <= width for row in rows if not row.wraps)


def test_messages_show_what_is_new_in_this_call(run: ReplayRun):
    shown = text(messages_panel(run, run.snapshot, 16_000 * MS))

    assert "call #3" in shown
    assert "4 earlier messages, as in call #2" in shown
    assert "Now I compile it." in shown
    assert "$ cargo build" in shown
    assert "You are a careful engineer" not in shown
    assert "6 model calls come later" in text(messages_panel(run, run.snapshot, 0))


def test_the_span_panel_tells_everything(run: ReplayRun):
    timeline = run.snapshot.timeline
    row = timeline.row(timeline.errors[0].row)
    shown = text(span_panel(timeline, row, row.start_ns))

    for expected in (
        "execute_tool shell",
        "✗ error",
        "exit code 101",
        "gen_ai.tool.call.arguments",
        "cargo build",
        "trace id",
        "service.name",
    ):
        assert expected in shown
    group = timeline.row(next(timeline.groups()))
    assert "12 quiet spans" in text(span_panel(timeline, group, 0))


def test_diff_scores_logs_and_why(run: ReplayRun):
    diff = text(diff_panel(run, run.snapshot))
    assert "2 files changed  +8 −2" in diff
    assert "+ notes.txt  +1 −0  ! unexpected" in diff
    assert "index " not in diff
    assert "+use std::num::ParseIntError;" in diff
    scores = text(scores_panel(run.snapshot))
    assert "blast_radius" in scores
    assert "refusal       n/a" in scores
    assert "tokens        unknown" in scores
    assert "cabtrace.model_call" in text(logs_panel(run.snapshot, journal(run.snapshot.timeline, run.logs(), ()), 0, 100))
    why = text(why_panel(run, run.snapshot, None))
    assert "✗ FAIL  tests_failed" in why
    assert "✗ FAIL tests::empty" in why
    assert "a local sandbox isolates nothing" in why


def test_a_run_with_nothing_in_it_says_so_everywhere(tmp_path: Path):
    path = build_sample_run(tmp_path)
    for name in (
        "trace.jsonl",
        "terminal.cast",
        "calls.jsonl",
        "workspace.patch",
        "artifacts/changes.json",
        "artifacts/verifier.json",
    ):
        (path / name).unlink()
    run = ReplayRun(path)

    shown = "\n".join(tell(run))
    for expected in ("No span was recorded.", "No model call was recorded.", "What changed on disk is unknown"):
        assert expected in shown


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_the_story_fits_and_has_all_of_it(run: ReplayRun, width: int):
    told = list(tell(run, width=width))
    shown = "\n".join(told)

    assert all(isinstance(row, SafeText) for row in told)
    assert max(map(cell_len, told)) <= width or width < 60  # tables do not wrap
    for expected in ("✗ FAIL", "tests_failed", "00:17.5", "✗ error", "12,225 prompt", "tests::empty", "What happened", "0.335"):
        assert expected in shown
    order = [shown.index(part) for part in ("What happened", "Model calls", "Tool calls", "Tests:", "Changes", "The record")]
    assert order == sorted(order)


def test_run_rows_put_failed_runs_first_and_fit_any_width(tmp_path: Path):
    from replay.listing import read_store

    build_sample_run(tmp_path, failing=False)
    build_sample_run(tmp_path)
    broken = tmp_path / "demo" / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "run.json").write_text("{")
    *_, listed = read_store(tmp_path)
    rows = listed.rows

    assert [row.cells[0][0] if row.cells else "unreadable" for row in rows] == ["✗ FAIL", "unreadable", "✓ PASS"]
    for width in (20, 40, 80, 120, 200):
        widths = column_widths(rows, width)
        assert sum(w + gap(width) for w in widths if w) <= max(width, 13)
    assert [c.title for c, w in zip(COLUMNS, column_widths(rows, 200), strict=True) if not w] == ["sweep"]


def test_lines_compare_by_content():
    assert Line(((words("a")),)) == line(words("a"))
