"""Two runs side by side: which step belongs to which, and what the playheads do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.diagnose.diff.compare import compare
from cabtrace.store.reader import RunView
from replay.compare_panel import panel
from replay.compare_session import CompareSession
from replay.compare_steps import Compared, Match, pair_up
from replay.run import ReplayRun
from tests.support.compare_runs import OTHER_TURNS, build_pair
from tests.support.sample_run import build_sample_run
from tests.support.sample_text import TURNS, Turn

MS = 1_000_000


def compared(left: Path, right: Path) -> Compared:
    one, other = RunView(left), RunView(right)
    return pair_up(one, other, compare(one, other))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return build_pair(tmp_path)


def opened(pair: tuple[Path, Path]) -> CompareSession:
    left, right = pair
    return CompareSession((ReplayRun(left), ReplayRun(right)), compared(left, right), lambda: 0)


def rows(found: Compared) -> list[tuple[str, str, str]]:
    return [
        (p.match.value, p.left.text if p.left else "", p.right.text if p.right else "")
        for p in found.pairs
        if (p.left or p.right).kind in ("model", "tool", "test")
    ]


def test_steps_are_the_same_up_to_the_divergence_and_paired_after_it(pair: tuple[Path, Path]):
    found = compared(*pair)
    same = [("same", name, name) for name in ("chat #1", "shell", "chat #2", "shell", "chat #3", "shell")]
    assert rows(found) == [
        *same,
        ("differs", "chat #4", "chat #4"),
        ("differs", "shell", "shell"),
        ("differs", "chat #5", "chat #5"),
        ("only left", "shell", ""),
        ("only left", "chat #6", ""),
        ("differs", "verify", "verify"),
    ]
    parted = found.pairs[found.parted]
    assert (parted.left.text, parted.note) == ("chat #4", "At model call 4 the model did something else.")
    assert "tests changed state" in next(p.note for p in found.pairs if p.left and p.left.kind == "test")


def test_a_run_beside_itself_differs_nowhere(pair: tuple[Path, Path]):
    found = compared(pair[0], pair[0])
    assert {p.match for p in found.pairs} == {Match.SAME}
    assert found.parted is None


@pytest.mark.parametrize("cut", range(len(TURNS)))
def test_a_run_that_stops_early_parts_where_the_other_goes_on(tmp_path: Path, cut: int):
    ended = Turn("I give up.", "", "", 100, 10, 900)
    left = build_sample_run(tmp_path)
    right = build_sample_run(tmp_path, turns=(*TURNS[:cut], ended))
    found = compared(left, right)
    parted = found.pairs[found.parted]
    if cut == len(TURNS) - 1:  # it ended there anyway, in other words
        assert parted.note.endswith("in other words.")
    assert parted.left.text == f"chat #{cut + 1}"
    assert [p.left.text for p in found.pairs[: found.parted]] == [p.right.text for p in found.pairs[: found.parted]]
    for pairing in found.pairs:
        if pairing.left and pairing.right:
            assert pairing.left.kind == pairing.right.kind


def test_it_begins_at_the_divergence_with_both_playheads_there(pair: tuple[Path, Path]):
    session = opened(pair)
    assert session.pair.parted
    assert [p // MS for p in session.positions_ns()] == [23_551, 23_551]


def test_locked_playheads_move_together_from_either_side(pair: tuple[Path, Path]):
    session = opened(pair)
    session.seek_share(1.0)
    assert session.positions_ns() == session.compared.lengths_ns
    session.switch_side()
    session.seek_share(0)
    assert session.positions_ns() == (0, 0)
    tool = next(row for row, p in enumerate(session.pairs) if p.match is Match.DIFFERS and p.left.kind == "tool")
    session.seek(session.pairs[tool].right.start_ns)
    assert session.positions_ns()[0] == session.pairs[tool].left.start_ns
    assert session.row == tool


def test_free_playheads_move_alone_and_locking_brings_the_other_one_along(pair: tuple[Path, Path]):
    session = opened(pair)
    before = session.positions_ns()
    session.toggle_lock()
    session.seek(0)
    assert session.positions_ns() == (0, before[1])
    session.toggle_lock()
    assert session.positions_ns() == (0, 0)
    assert "B follows A" in session.notice


def test_while_it_plays_the_other_run_follows(pair: tuple[Path, Path]):
    now = [0]
    session = CompareSession((ReplayRun(pair[0]), ReplayRun(pair[1])), compared(*pair), lambda: now[0])
    session.seek(0)
    session.toggle_play()
    for _ in range(30):
        now[0] += 100 * MS
        session.tick()
    assert session.positions_ns()[0] == 3_000 * MS
    assert session.positions_ns()[1] == session.compared.instants.to_right(3_000 * MS)
    session.switch_side()
    assert session.playing
    assert session.clocks[1].playing
    session.toggle_play()
    assert not session.playing


def test_differences_are_gone_through_in_order_and_their_end_is_said(pair: tuple[Path, Path]):
    session = opened(pair)
    session.seek(0)
    seen = []
    for _ in session.differences:
        session.jump_difference(1)
        seen.append(session.row)
    assert seen == list(session.differences) == sorted(seen)
    session.jump_difference(1)
    assert session.notice == "No later difference."
    session.jump_difference(-1)
    assert session.row == seen[-2]
    only_left = [row for row, p in enumerate(session.pairs) if p.match is Match.LEFT]
    assert len(only_left) == 2
    assert only_left[0] in seen
    assert only_left[1] not in seen


def test_each_step_is_gone_to_on_both_sides(pair: tuple[Path, Path]):
    session = opened(pair)
    for row, pairing in enumerate(session.pairs):
        session.go_row(row)
        for side in (0, 1):
            if (step := pairing.side(side)) is not None:
                assert session.positions_ns()[side] == step.start_ns
        assert session.row == row
    session.step(1)
    assert session.row == len(session.pairs) - 1


def test_the_details_say_what_each_side_did(pair: tuple[Path, Path]):
    session = opened(pair)
    text = "\n".join(line.text for line in panel(session))
    for wanted in ("First divergence", "git apply fix.patch", "+EOF", "failed", "tests::empty", "model calls", "pass rate"):
        assert wanted in text
    session.step(1)
    assert "other arguments" in "\n".join(line.text for line in panel(session))


def test_the_same_runs_say_so(pair: tuple[Path, Path]):
    session = opened((pair[0], pair[0]))
    session.go_parted()
    assert "do not differ" in session.notice
    session.jump_difference(1)
    assert session.notice == "The runs do not differ."
    assert len(OTHER_TURNS) < len(TURNS)
