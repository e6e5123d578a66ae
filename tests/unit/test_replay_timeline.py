"""The timeline: tree order, time, and whatever recorded spans get wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.model.span import SpanEvent, SpanRecord, SpanState
from replay.folding import Folding
from replay.forest import FOLD_AT_LEAST, Mark
from replay.markers import MarkerKind
from replay.timeline import Timeline
from tests.support.spans import BASE_NS, MS, span


def ids(timeline: Timeline) -> list[str]:
    return [timeline.row(i).span.span_id for i in range(len(timeline))]


def test_rows_are_in_tree_order_with_depth():
    timeline = Timeline(
        [
            span("root", 0, 100, kind="cell"),
            span("a", 1, 50, parent="root", kind="container"),
            span("b", 2, 40, parent="root", kind="container"),
            span("a1", 3, 10, parent="a", kind="model_call"),
            span("b1", 4, 10, parent="b", kind="model_call"),
        ]
    )

    assert ids(timeline) == ["root", "a", "a1", "b", "b1"]
    assert [timeline.row(i).depth for i in range(5)] == [0, 1, 2, 1, 2]
    assert [timeline.row(i).end_row for i in range(5)] == [5, 3, 3, 5, 5]
    assert timeline.warnings == ()
    assert list(timeline.ancestors(2)) == [1, 0]


def test_orphans_hang_under_the_root_with_a_mark():
    timeline = Timeline([span("root", 0, 100, kind="cell"), span("x", 5, 9, parent="gone", kind="agent")])

    row = timeline.row(1)
    assert (row.span.span_id, row.depth, row.mark) == ("x", 1, Mark.ORPHAN)
    assert any("1 span names a parent that was not recorded" in w for w in timeline.warnings)


def test_a_cycle_is_cut_where_it_began_and_everything_in_it_is_shown():
    timeline = Timeline(
        [
            span("root", 0, 100, kind="cell"),
            span("a", 1, 9, parent="c", kind="container"),
            span("b", 2, 9, parent="a", kind="container"),
            span("c", 3, 9, parent="b", kind="container"),
            span("me", 4, 9, parent="me", kind="container"),
            span("tail", 5, 9, parent="c", kind="container"),
        ]
    )

    assert ids(timeline) == ["root", "a", "b", "c", "tail", "me"]
    assert timeline.row(1).mark is Mark.CYCLE
    assert timeline.row(5).mark is Mark.CYCLE
    assert any("2 circles of spans that are their own ancestors" in w for w in timeline.warnings)


def test_a_run_of_cycles_only_still_has_rows():
    timeline = Timeline([span("a", 1, 9, parent="b", kind="container"), span("b", 2, 9, parent="a", kind="container")])

    assert ids(timeline) == ["a", "b"]


def test_duplicate_ids_are_both_shown_and_children_hang_under_the_first():
    timeline = Timeline(
        [
            span("root", 0, 100, kind="cell"),
            span("x", 1, 9, parent="root", kind="container", name="first"),
            span("x", 2, 9, parent="root", kind="container", name="second"),
            span("child", 3, 4, parent="x", kind="container"),
        ]
    )

    assert [timeline.row(i).span.name for i in range(4)] == ["root", "first", "child", "second"]
    assert timeline.row(3).mark is Mark.DUPLICATE


def test_several_roots_end_before_start_and_aborted_are_each_a_warning():
    timeline = Timeline(
        [
            span("r1", 0, 100, kind="cell"),
            span("r2", 10, 5, kind="agent"),
            span("r3", 20, None, kind="agent", state=SpanState.ABORTED),
        ]
    )

    assert timeline.row(1).start_ns == timeline.row(1).end_ns == 10 * MS
    assert timeline.row(2).end_ns == timeline.duration_ns
    text = " ".join(timeline.warnings)
    assert "3 roots" in text
    assert "1 span ends before it starts" in text
    assert "never ended" in text


@pytest.mark.parametrize("time_ns", [0, 1, 2**63 - 1, 253_402_300_799 * 10**9])
def test_times_out_of_all_reason_do_not_stretch_the_axis(time_ns: int):
    stray = SpanRecord("1" * 32, "s", "root", "s", time_ns, time_ns)

    timeline = Timeline(sorted([span("root", 0, 100, kind="cell"), stray], key=lambda s: s.start_ns), since_ns=BASE_NS)

    assert timeline.duration_ns == 100 * MS
    assert any("far outside" in w for w in timeline.warnings)


def test_chatty_siblings_become_one_row_that_opens():
    quiet = [span(f"q{i}", 10 + i, 11 + i, parent="root", name="SELECT") for i in range(FOLD_AT_LEAST)]
    timeline = Timeline([span("root", 0, 100, kind="cell"), *quiet, span("call", 50, 60, parent="root", kind="model_call")])

    group = timeline.row(1)
    assert (group.group, group.depth, group.has_children) == (FOLD_AT_LEAST, 1, True)
    assert (group.start_ns, group.end_ns) == (10 * MS, (10 + FOLD_AT_LEAST) * MS)
    folded = set(timeline.groups())
    assert [timeline.row(i).span.span_id for i in timeline.visible(folded)] == ["root", "q0", "call"]
    assert len(timeline.visible(set())) == 1 + 1 + FOLD_AT_LEAST + 1


def test_an_error_among_quiet_spans_is_never_folded():
    spans = [span(f"q{i}", i, i + 1, parent="root", failed=i == FOLD_AT_LEAST) for i in range(1, 2 * FOLD_AT_LEAST)]
    timeline = Timeline([span("root", 0, 100, kind="cell"), *spans])

    assert list(timeline.groups()) == []


def test_repeated_subtrees_become_one_row_and_one_alone_starts_closed():
    pairs = [
        span(f"{name}{i}", 10 + i, 11 + i, parent=f"{parent}{i}" if parent else "turn", name=name)
        for i in range(FOLD_AT_LEAST)
        for name, parent in (("handle", ""), ("receive", "handle"))
    ]
    timeline = Timeline(
        [
            span("root", 0, 100, kind="cell"),
            span("turn", 1, 90, parent="root"),
            *pairs,
            span("call", 50, 60, parent="turn", kind="model_call"),
            span("alone", 70, 80, parent="turn"),
            span("below", 71, 72, parent="alone"),
        ]
    )

    shown = [timeline.row(i) for i in timeline.visible(list(timeline.closed()))]
    assert [(r.span.span_id, r.group, timeline.inside(r.index)) for r in shown if r.has_children] == [
        ("root", 0, (2 * FOLD_AT_LEAST + 4, 1)),
        ("turn", 0, (2 * FOLD_AT_LEAST + 3, 1)),
        ("handle0", FOLD_AT_LEAST, (2 * FOLD_AT_LEAST, 0)),
        ("alone", 0, (1, 0)),
    ]
    assert [r.span.span_id for r in shown] == ["root", "turn", "handle0", "call", "alone"]
    turn = next(r.index for r in shown if r.span.span_id == "turn")
    below = [timeline.row(i).span.span_id for i in timeline.children(turn)]
    assert below == [*(f"handle{i}" for i in range(FOLD_AT_LEAST)), "call", "alone"]


def test_where_all_is_chatter_trees_stay_open():
    timeline = Timeline([span("root", 0, 100), span("a", 1, 50, parent="root"), span("b", 2, 3, parent="a")])

    assert list(timeline.closed()) == []


def test_what_was_running_and_what_was_going_on():
    timeline = Timeline(
        [
            span("root", 0, 100, kind="cell"),
            span("a", 10, 50, parent="root", kind="container"),
            span("call", 20, 30, parent="a", kind="model_call"),
            span("instant", 40, 40, parent="a", kind="tool_call"),
        ]
    )

    names = {i: timeline.row(i).span.span_id for i in range(4)}
    assert [names[r] for r in timeline.active_at(25 * MS)] == ["root", "a", "call"]
    assert names[timeline.focus_at(25 * MS)] == "call"
    assert names[timeline.focus_at(30 * MS)] == "a"
    assert names[timeline.focus_at(40 * MS)] == "instant"
    assert names[timeline.focus_at(60 * MS)] == "root"
    assert names[timeline.focus_at(100 * MS)] == "instant"  # nothing runs any more: the last that had started
    assert [timeline.is_active(r, 40 * MS) for r in range(4)] == [True, True, False, True]


def test_markers_and_errors_in_order_of_time():
    timeline = Timeline(
        [
            span("root", 0, 100, kind="cell", failed=True),
            span("call", 10, 20, parent="root", kind="model_call"),
            span(
                "tool", 30, 40, parent="root", kind="tool_call", failed=True, events=(SpanEvent("exception", BASE_NS + 35 * MS),)
            ),
            span("plug", 45, 46, parent="root", kind="tool_call", name="applied_plugins"),
            span("verify", 50, 60, parent="root", kind="verifier"),
        ]
    )

    kinds = [(m.offset_ns // MS, m.kind) for m in timeline.markers]
    assert kinds == [
        (10, MarkerKind.MODEL_CALL),
        (30, MarkerKind.TOOL_CALL),
        (35, MarkerKind.ERROR),
        (50, MarkerKind.TEST),
    ]
    first = timeline.next_marker(0, 1, errors_only=True)
    assert first is not None
    assert first.offset_ns == 35 * MS
    assert timeline.next_marker(35 * MS, 1, errors_only=True, current=first) is None
    assert timeline.next_marker(35 * MS, -1, errors_only=True, current=first) is None
    assert timeline.next_marker(100 * MS, 1) is None


def test_stepping_passes_every_span_once_also_those_that_start_together():
    timeline = Timeline(
        [span("root", 0, 100, kind="cell"), *(span(f"s{i}", 10, 20, parent="root", kind="container") for i in range(3))]
    )
    order = Folding(timeline)

    seen, row, position = [], 0, 0
    while (following := order.step(position, row, 1)) is not None:
        row, position = following, timeline.row(following).start_ns
        seen.append(timeline.row(row).span.span_id)

    assert seen == ["s0", "s1", "s2"]
    assert order.step(0, 0, -1) is None
    assert timeline.row(order.step(15 * MS, 0, -1)).span.span_id == "s2"


def test_depth_and_width_do_not_matter():
    deep = [
        span("0", 0, 1000, kind="cell"),
        *(span(str(i), i % 1000, 1000, parent=str(i - 1), kind="container") for i in range(1, 20_000)),
    ]
    wide = [span("root", 0, 1000, kind="cell"), *(span(f"w{i}", 1, 2, parent="root", kind="container") for i in range(20_000))]

    assert Timeline(deep).row(19_999).depth == 19_999
    assert len(Timeline(wide)) == 20_001


def test_an_empty_run_has_an_axis():
    timeline = Timeline([], since_ns=BASE_NS, until_ns=BASE_NS + 5)

    assert (len(timeline), timeline.duration_ns, timeline.focus_at(3)) == (0, 5, None)


some_spans = st.lists(
    st.builds(
        span,
        st.sampled_from("abcdefgh"),
        st.integers(-5, 50),
        st.one_of(st.none(), st.integers(-10, 60)),
        parent=st.one_of(st.none(), st.sampled_from("abcdefghxyz")),
        kind=st.sampled_from(["", "cell", "model_call", "tool_call", "container"]),
        failed=st.booleans(),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=150)
@given(some_spans, st.integers(-5, 70))
def test_any_spans_are_all_shown_once_and_time_stays_in_order(spans: list[SpanRecord], at_ms: int):
    spans = sorted(spans, key=lambda s: s.start_ns)
    timeline = Timeline(spans)

    shown = [timeline.row(i).span for i in range(len(timeline)) if not timeline.row(i).group]
    assert sorted(map(id, shown)) == sorted(map(id, spans))
    for i in range(len(timeline)):
        row = timeline.row(i)
        assert 0 <= row.start_ns <= row.end_ns <= timeline.duration_ns
        assert row.parent < i < row.end_row <= len(timeline)
        assert row.depth == len(list(timeline.ancestors(i)))
    at_ns = at_ms * MS
    by_hand = [i for i in range(len(timeline)) if not timeline.row(i).group and timeline.is_active(i, at_ns)]
    assert sorted(timeline.active_at(at_ns)) == by_hand
    focus = timeline.focus_at(at_ns)
    if by_hand:
        assert focus in by_hand
        assert timeline.row(focus).start_ns == max(timeline.row(i).start_ns for i in by_hand)


def _stops(*spans: SpanRecord) -> list[str]:
    timeline = Timeline(list(spans))
    return [timeline.row(marker.row).span.name for marker in timeline.errors]


def test_the_harness_failed_only_where_nothing_below_it_did():
    tree = [
        span("cell", 0, 100, kind="cell", failed=True),
        span("adapter", 5, 90, parent="cell", kind="adapter_run", failed=True),
        span("container", 6, 80, parent="adapter", kind="container", failed=True),
    ]
    assert _stops(*tree) == ["container"]
    tool = span("tool", 30, 40, parent="container", kind="tool_call", failed=True)
    verify = span("verify", 91, 99, parent="cell", kind="verifier", failed=True)
    assert _stops(*tree, tool, verify) == ["tool", "verify"]


def test_an_agents_inner_failures_are_stops_where_there_is_no_other():
    inner = [
        span("container", 6, 80, kind="container"),
        span("FileSystem.read", 10, 11, parent="container", kind="agent", failed=True),
        span("lookup", 12, 13, parent="container", kind=None, failed=True),
    ]
    assert _stops(*inner) == ["FileSystem.read", "lookup"]
    assert _stops(*inner, span("chat", 20, 30, parent="container", kind="model_call", failed=True)) == ["chat"]
    assert _stops(replace(inner[0], status_code=2), *inner[1:]) == ["container"]
