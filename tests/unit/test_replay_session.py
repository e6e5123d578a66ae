"""What the user can do with a run, without a screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.run import ReplayRun
from replay.session import Session
from tests.support.sample_run import DURATION_NS, build_sample_run

MS = 1_000_000


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(ReplayRun(build_sample_run(tmp_path)), lambda: 0)


def name(session: Session) -> str:
    row = session.selected_row
    assert row is not None
    return row.span.name


def test_it_begins_at_the_start_or_where_it_is_told(session: Session):
    assert (session.position_ns, session.clock.duration_ns) == (0, DURATION_NS)
    assert name(session).startswith("cell ")
    there = Session(session.run, lambda: 0, at_ns=17_600 * MS)
    assert (there.position_ns, name(there)) == (17_600 * MS, "execute_tool shell")


def test_next_and_previous_span_visit_the_same_places(session: Session):
    forth = [(session.position_ns, session.selected)]
    while not session.notice:
        session.step_span(1)
        forth.append((session.position_ns, session.selected))
    back = [(session.position_ns, session.selected)]
    session.notice = ""
    while not session.notice:
        session.step_span(-1)
        back.append((session.position_ns, session.selected))

    assert session.notice == "No earlier span."
    assert forth[:-1] == back[:-1][::-1]
    assert len(forth) - 1 == len(session.visible)


def test_errors_and_markers_are_jumped_to_in_order(session: Session):
    session.jump_error(1)
    assert name(session) == "execute_tool shell"
    assert session.selected_row.span.failed
    session.jump_error(1)
    assert name(session).startswith("verify:")
    session.jump_error(1)
    assert session.notice == "No later error.", "the cell failed because of the tests"
    session.jump_error(-1)
    assert name(session) == "execute_tool shell"

    session.home()
    seen = []
    while not session.notice:
        session.jump_marker(1)
        seen.append(name(session))
    assert len(seen) - 1 == len(session.snapshot.timeline.markers)


def test_playing_moves_the_selection_to_what_is_going_on(tmp_path: Path):
    now = [0]
    session = Session(ReplayRun(build_sample_run(tmp_path)), lambda: now[0])
    session.seek(16_000 * MS)
    assert name(session).startswith("chat ")
    session.toggle_play()
    for _ in range(16):
        now[0] += 100 * MS
        session.tick()
    assert (session.position_ns, name(session)) == (17_600 * MS, "execute_tool shell")


def test_folding_hides_rows_and_jumping_into_them_opens_them(session: Session):
    everything = len(session.visible)
    session.select(0)
    session.activate()
    assert len(session.visible) == 1
    session.jump_error(1)
    assert len(session.visible) > 1
    assert session.place_of(session.selected) > 0
    group = next(session.snapshot.timeline.groups())
    assert session.snapshot.timeline.parent(group) in session.folded  # nothing but chatter is in it
    session.folded.reveal(group)
    session.select(group)
    session.activate()
    assert len(session.visible) == everything + 1 + 12


def test_closing_a_closed_row_goes_up(session: Session):
    container = next(i for i in session.visible if session.snapshot.timeline.row(i).span.name == "reference:launch")
    session.select(container)
    session.set_folded(folded=True)
    assert container in session.folded
    session.set_folded(folded=True)
    assert name(session).startswith("reference:polyglot")


def test_the_selection_moves_without_the_playhead(session: Session):
    session.move_selection(3)
    assert (session.place_of(session.selected), session.position_ns) == (3, 0)
    session.move_selection(10_000)
    assert session.place_of(session.selected) == len(session.visible) - 1
    session.activate()
    assert session.position_ns == session.selected_row.start_ns > 0


def test_steps_of_100_ms_and_shares(session: Session):
    session.step_time()
    assert session.position_ns == 100 * MS
    session.seek_share(0.5)
    assert session.position_ns == DURATION_NS // 2 + 1 or session.position_ns == DURATION_NS // 2
    session.end()
    assert session.position_ns == DURATION_NS


def test_idle_time_is_passed_quickly(tmp_path: Path):
    now = [0]
    session = Session(ReplayRun(build_sample_run(tmp_path)), lambda: now[0])
    session.toggle_idle()
    assert session.compressing
    session.toggle_play()
    while session.clock.playing:
        now[0] += 100 * MS
        session.tick()
    assert now[0] < DURATION_NS * 0.8
