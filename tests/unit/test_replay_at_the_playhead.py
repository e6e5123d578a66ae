"""Panels show what was so at the playhead; what is known only later is said to be of the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanEvent, SpanState
from replay import display
from replay.panels.choose import panel_lines
from replay.panels.diff import diff_panel
from replay.panels.messages import messages_panel
from replay.panels.scores import scores_panel
from replay.panels.span import of_the_end, span_panel
from replay.places import Found
from replay.run import ReplayRun
from replay.session import Session, Tab
from replay.story import tell
from replay.timeline import Row, Timeline
from tests.support.sample_run import build_sample_run
from tests.support.spans import BASE_NS, span

MS = 1_000_000
END = 48_263 * MS


@pytest.fixture
def run(tmp_path: Path) -> ReplayRun:
    return ReplayRun(build_sample_run(tmp_path))


def text(lines: object) -> str:
    return "\n".join(row.text.rstrip() for row in lines)  # type: ignore[attr-defined]


def chat(run: ReplayRun) -> Row:
    """The third call, from 15.751 to 17.501 s."""
    timeline = run.snapshot.timeline
    return timeline.row(run.snapshot.calls.row(2))


@pytest.mark.parametrize(
    ("at_ms", "first"),
    [
        (15_000, "○ not begun  starts in 751 ms"),
        (15_751, "● running  0 ms in, ends at 00:17.501"),
        (17_500, "● running  1.7 s in, ends at 00:17.501"),
        (17_501, "✓ ended  0 ms ago"),
        (20_001, "✓ ended  2.5 s ago"),
    ],
)
def test_a_span_is_in_the_state_that_it_had(run: ReplayRun, at_ms: int, first: str):
    lines = [row.text for row in span_panel(run.snapshot.timeline, chat(run), at_ms * MS)]
    assert lines[1].startswith(first)


def test_attributes_of_the_end_stand_apart_until_the_span_has_ended(run: ReplayRun):
    timeline, row = run.snapshot.timeline, chat(run)
    before, end = text(span_panel(timeline, row, row.start_ns)).split("At its end  ✓ ended")
    assert "gen_ai.request.model" in before
    assert "cabtrace.call.request_hash" in before
    for key in ("gen_ai.usage.output_tokens", "gen_ai.response.finish_reasons", "http.response.status_code"):
        assert key in end
        assert key not in before
    after = text(span_panel(timeline, row, row.end_ns))
    assert "At its end" not in after
    assert "gen_ai.usage.output_tokens" in after


def test_what_failed_later_has_not_failed_yet(run: ReplayRun):
    timeline = run.snapshot.timeline
    row = timeline.row(timeline.errors[0].row)
    before, end = text(span_panel(timeline, row, row.start_ns)).split("At its end  ✗ error")
    assert "exit code 101" not in before
    assert "exit code 101" in end


def test_events_after_the_playhead_are_said_to_be_later():
    events = (SpanEvent("first", BASE_NS + 10 * MS), SpanEvent("second", BASE_NS + 50 * MS, {"k": "v"}))
    timeline = Timeline([span("a" * 16, 0, 90, events=events)])
    shown = text(span_panel(timeline, timeline.row(0), 20 * MS))
    assert "00:00.010  first\n" in shown
    assert "00:00.050  second  later\n" in shown
    assert "later" not in text(span_panel(timeline, timeline.row(0), 60 * MS))


def test_what_never_ended_has_no_end_to_tell_of():
    timeline = Timeline([span("a" * 16, 0, None, state=SpanState.ABORTED, x=1)], until_ns=BASE_NS + 100 * MS)
    assert "● running  50 ms in  " in text(span_panel(timeline, timeline.row(0), 50 * MS))
    assert "⊘ never ended" in text(span_panel(timeline, timeline.row(0), 100 * MS))


def test_what_an_agent_recorded_may_all_be_of_the_end_but_the_usual_names():
    mine, theirs = span("a" * 16, 0, 1, kind="container"), span("b" * 16, 0, 1)
    assert not of_the_end(mine, "container.image.name")
    assert of_the_end(mine, sc.EXIT_CODE)
    assert of_the_end(theirs, "rows_read")
    assert not of_the_end(theirs, "gen_ai.tool.call.arguments")
    assert of_the_end(theirs, "gen_ai.tool.call.result")


@pytest.mark.parametrize("panel", [diff_panel, lambda _, snapshot, at: scores_panel(snapshot, at)], ids=["diff", "scores"])
def test_what_is_known_at_the_end_only_says_so_before(run: ReplayRun, panel: object):
    whole = run.snapshot.timeline.duration_ns
    assert "◷ as of the end of the run, at 00:48.263" in text(panel(run, run.snapshot, 0))  # type: ignore[operator]
    assert "as of the end" not in text(panel(run, run.snapshot, whole))  # type: ignore[operator]


def test_the_open_panel_is_told_where_the_playhead_is(run: ReplayRun):
    session = Session(run, lambda: 0)
    session.seek(0)
    for tab in (Tab.DIFF, Tab.SCORES):
        session.tab = tab
        assert "as of the end of the run" in text(panel_lines(session, 80))
    session.end()
    for tab in (Tab.DIFF, Tab.SCORES):
        session.tab = tab
        assert "as of the end of the run" not in text(panel_lines(session, 80))


def test_an_answer_that_has_not_come_is_said_to_be_on_its_way(run: ReplayRun):
    row = chat(run)
    assert "◀ assistant  ● on its way; this is as of 00:17.501" in text(messages_panel(run, run.snapshot, row.start_ns))
    assert "on its way" not in text(messages_panel(run, run.snapshot, row.end_ns))


def test_the_story_tells_of_the_place_that_was_asked_for_as_it_was_then(run: ReplayRun):
    row = chat(run)
    told = "\n".join(tell(run, found=Found(row.start_ns, row.index)))
    moment = told.split("At 00:15.751\n")[1].split("\n\n")[0]
    assert "chat #3 stepfun-ai/step-3.5-flash  ● running  0 ms in, ends at 00:17.501" in moment
    assert "✓ ended" not in moment


def test_an_instant_within_beside_and_after_a_row():
    timeline = Timeline([span("a" * 16, 0, 100), span("b" * 16, 20, 20)])
    point = next(timeline.row(row) for row in range(2) if timeline.key(timeline.row(row).index)[0] == "b" * 16)
    assert display.state_at(point, 20 * MS)[0] == "✓ ended"  # without any length, it was over at once
    assert display.state_at(point, 19 * MS)[0] == "○ not begun"
