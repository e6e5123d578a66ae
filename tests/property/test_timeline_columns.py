"""The timeline by columns is what a plain one is, from memory, from a run's files, and from its index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabtrace.model.span import SpanEvent, SpanRecord
from cabtrace.store.reader import RunView
from replay.columns import from_blobs, to_blobs
from replay.folding import Folding
from replay.loading import SpanLoader
from replay.markers import MarkerKind
from replay.timeline import Timeline
from tests.support.recording import new_recorder
from tests.support.reference_timeline import PlainRow, is_quiet, plain_rows
from tests.support.sample_run import write_span
from tests.support.spans import BASE_NS, MS, span


@st.composite
def one_span(draw: st.DrawFn, ids: str = "abcdefghijkl") -> SpanRecord:
    """Any of few ids and times, so that they collide, contradict and go in circles."""
    start, length = draw(st.integers(-3, 30)), draw(st.integers(-6, 30))
    failed = draw(st.booleans()) and draw(st.booleans())
    at = draw(st.one_of(st.none(), st.integers(-5, 40)))
    made = span(
        draw(st.sampled_from(ids)) * 16,
        start,
        draw(st.sampled_from([None, start + length, start + length, start + length])),
        parent=draw(st.one_of(st.none(), st.sampled_from(ids + "xyz").map(lambda c: c * 16))),
        kind=draw(st.sampled_from(["", "", "", "", "agent", "cell", "model_call", "tool_call", "verifier", "strange"])),
        failed=failed,
        events=() if at is None else (SpanEvent(draw(st.sampled_from(["exception", "note"])), BASE_NS + at * MS),),
    )
    far = draw(st.integers(0, 40))
    return replace(made, start_ns=1) if far == 0 else replace(made, end_ns=2**62) if far == 1 else made


def by_start(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    return sorted(spans, key=lambda s: s.start_ns)


def rows(timeline: Timeline) -> list[PlainRow]:
    shown = (timeline.row(index) for index in range(len(timeline)))
    return [PlainRow(r.span, r.depth, r.parent, r.end_row, r.group, r.start_ns, r.end_ns, r.mark) for r in shown]


def closed_at_first(plain: list[PlainRow]) -> list[int]:
    """Groups, and what is below another row and has only quiet rows below, unless nothing at all is loud."""
    quiet = [is_quiet(row.span) for row in plain]
    chatter = (all(quiet[place : row.end_row]) and row.depth and row.end_row > place + 1 for place, row in enumerate(plain))
    subtrees = [bool(one) and not all(quiet) for one in chatter]
    return [place for place, row in enumerate(plain) if row.group or subtrees[place]]


some_spans = st.one_of(
    st.lists(one_span(), max_size=25),
    st.lists(one_span(ids="abcdefghijklmnopqrstuvw"), max_size=60),
)


@settings(deadline=None, max_examples=300)
@given(some_spans.map(by_start), st.sampled_from([None, BASE_NS, BASE_NS + 5 * MS]), st.sampled_from([None, BASE_NS + 50 * MS]))
def test_rows_are_those_of_the_plain_timeline(spans: list[SpanRecord], since_ns: int | None, until_ns: int | None):
    timeline = Timeline(spans, since_ns=since_ns, until_ns=until_ns)

    assert rows(timeline) == plain_rows(spans, since_ns, until_ns)
    kept = from_blobs({name: bytes(data) for name, data in to_blobs(timeline.columns, timeline.summary).items()})
    assert kept is not None
    again = Timeline(spans, columns=kept)
    assert rows(again) == rows(timeline)
    assert list(again.closed()) == list(timeline.closed()) == closed_at_first(rows(timeline))
    assert list(again.columns.steps) == sorted({marker.row for marker in timeline.markers})
    for row, plain in enumerate(rows(timeline)):
        below = rows(timeline)[row + 1 : plain.end_row]
        assert timeline.inside(row)[0] == sum(not one.group for one in below)
        assert timeline.inside(row)[1] == sum(row < step < plain.end_row for step in again.columns.steps)
    assert list(again.markers) == list(timeline.markers) == sorted(timeline.markers)
    assert again.warnings == timeline.warnings


@settings(deadline=None, max_examples=150)
@given(some_spans.map(by_start), st.data())
def test_markers_steps_and_places_are_those_that_one_finds_by_hand(spans: list[SpanRecord], data: st.DataObject):
    timeline = Timeline(spans)
    plain = rows(timeline)
    at = st.integers(-2, timeline.duration_ns + 2)

    errors = [m for m in timeline.markers if m.kind is MarkerKind.ERROR]
    assert list(timeline.errors) == errors
    failed = {i for i, row in enumerate(plain) if row.span.failed and not row.group}
    assert {m.row for m in errors} <= failed
    assert bool(errors) == bool(failed)
    position = data.draw(at)
    later = [m for m in timeline.markers if m.offset_ns > position]
    assert timeline.next_marker(position, 1) == (later[0] if later else None)
    for place, marker in enumerate(timeline.markers):
        assert timeline.next_marker(marker.offset_ns, 1, current=marker) == next(
            iter(timeline.markers[place + 1 : place + 2]), None
        )

    folding = Folding(timeline, timeline.closed())
    for row in data.draw(st.lists(st.integers(0, max(len(plain) - 1, 0)), max_size=6 if plain else 0)):
        folding.toggle(row)
        shown = _shown(plain, set(folding))
        assert list(folding.visible) == shown
        assert [folding.visible.place_of(r) for r in shown] == list(range(len(shown)))
        assert all(r in shown or folding.visible.place_of(r) is None for r in range(len(plain)))
        selected, position = data.draw(st.one_of(st.none(), st.sampled_from(range(len(plain))))), data.draw(at)
        order = sorted(shown, key=lambda r: (plain[r].start_ns, r))
        for by in (1, -1):
            assert folding.step(position, selected, by) == _step(plain, order, position, selected, by)
    if plain:
        hidden = data.draw(st.sampled_from(range(len(plain))))
        folding.reveal(hidden)
        assert hidden in folding.visible


def _shown(plain: list[PlainRow], closed: set[int]) -> list[int]:
    shown, row = [], 0
    while row < len(plain):
        shown.append(row)
        row = plain[row].end_row if row in closed else row + 1
    return shown


def _step(plain: list[PlainRow], order: list[int], position: int, selected: int | None, by: int) -> int | None:
    here = [r for r in order if plain[r].start_ns == position]
    if selected in here:
        place = order.index(selected) + by
    elif by > 0:
        place = sum(plain[r].start_ns <= position for r in order)
    else:
        place = sum(plain[r].start_ns < position for r in order) - 1
    return order[place] if 0 <= place < len(order) else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(one_span(ids="abcdef"), max_size=20), st.lists(one_span(ids="abcdefghi"), max_size=8))
def test_a_run_on_disk_is_read_as_the_reader_of_all_spans_reads_it(
    folder: Path, ended: list[SpanRecord], begun: list[SpanRecord]
):
    recorder = new_recorder(folder)
    for record in begun:
        write_span(recorder.writer, record, log="open")
    for record in ended:
        write_span(recorder.writer, record)
    recorder.writer.close(status="finished")
    view = RunView(recorder.writer.path)

    timeline = SpanLoader(view.path).load(live=False, wall_ns=BASE_NS, terminal_ns=None)

    assert list(timeline.spans) == list(view.spans())
    assert rows(timeline) == plain_rows(view.spans(), BASE_NS, max(view.end_ns, 0))
    assert set(timeline.summary.reading) <= set(view.warnings())
