"""The words that name a place in a run, and where that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.errors import UsageError
from replay import display, places
from replay.places import (
    Call,
    FirstError,
    Found,
    Instant,
    Named,
    Offset,
    Share,
    Span,
    parse_link,
    parse_span,
    parse_time,
    resolve,
)
from replay.run import ReplayRun, Snapshot
from replay.story import tell
from replay.timeline import Timeline
from tests.support.sample_run import DURATION_NS, START_NS, build_sample_run
from tests.support.spans import span

MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("12.3s", 12_300),
        ("12.300s", 12_300),
        ("12.3", 12_300),
        ("0", 0),
        (".5s", 500),
        ("1500ms", 1_500),
        ("2m05s", 125_000),
        ("1h2m3.5s", 3_723_500),
        ("01:02.5", 62_500),
        ("1:02:03", 3_723_000),
        ("90:00", 5_400_000),
        (" 7s ", 7_000),
    ],
)
def test_offsets(text: str, ms: int):
    assert parse_time(text) == Offset(ms * MS)


def test_shares_and_times_of_day():
    assert parse_time("50%") == Share(0.5)
    assert parse_time("1970-01-01T00:00:01.5Z") == Instant(1_500 * MS)
    assert parse_time("1970-01-01T01:00:01+01:00") == Instant(1_000 * MS)
    assert parse_time("1970-01-02") == Instant(86_400_000 * MS)
    assert parse_time("2026-06-17 02:31:28") == parse_time("2026-06-17T02:31:28Z")


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-3s", "12.3.4s", "1:60", "1:60:00", "101%", "%", "5x", "s", "2026-13-01", "9" * 30, "9" * 400, "9" * 30 + "h", "nan", "inf",
     "1e3", "٣s", "\x1b[2J", "999999999:00:00"],
)  # fmt: skip
def test_what_is_no_time_is_one_sentence(text: str):
    with pytest.raises(UsageError) as caught:
        parse_time(text)
    assert len(str(caught.value)) < 250


def test_span_ids():
    assert parse_span("00F0") == Span("00f0")
    for text in ("", "xyz", "0" * 17):
        with pytest.raises(UsageError, match="no span id"):
            parse_span(text)


def test_one_place_only():
    assert parse_link(at=None, span=None, error=False, call=None) is None
    assert parse_link(at=None, span=None, error=True, call=None) == FirstError()
    assert parse_link(at=None, span=None, error=False, call=0) == Call(0)
    with pytest.raises(UsageError, match="--at and --call"):
        parse_link(at="1s", span=None, error=False, call=3)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return ReplayRun(build_sample_run(tmp_path_factory.mktemp("store"))).snapshot


def find(snapshot: Snapshot, words: str | Span | Call | FirstError) -> Found:
    place = parse_time(words) if isinstance(words, str) else words
    return resolve(place, snapshot.timeline, snapshot.calls)


def test_times_in_a_run(snapshot: Snapshot):
    assert find(snapshot, "12.3s") == Found(12_300 * MS)
    assert find(snapshot, "100%") == Found(DURATION_NS)
    assert resolve(Instant(START_NS + 5 * MS), snapshot.timeline, ()) == Found(5 * MS)
    assert find(snapshot, f"{DURATION_NS / 1e9 + 0.0005:.4f}s") == Found(DURATION_NS)


def test_spans_calls_and_errors_in_a_run(snapshot: Snapshot):
    third = next(call for call in snapshot.calls if call.index == 3)
    by_number, by_span = find(snapshot, Call(3)), find(snapshot, Span(third.call_id))
    assert by_number == by_span
    assert snapshot.timeline.row(by_number.row or 0).span.span_id == third.call_id
    error = find(snapshot, FirstError())
    assert error.row is not None
    assert (error.offset_ns // MS, snapshot.timeline.row(error.row).span.failed) == (20_901, True)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Offset(99_000 * MS), "00:48.263 long"),
        (Instant(START_NS - 3_000 * MS), "3.0 s before"),
        (Span("ffffffffffffffff"), "begins with f"),
        (Call(77), "no model call 77; it has 1 to"),
    ],
)
def test_places_that_a_run_does_not_have(snapshot: Snapshot, place: Offset, said: str):
    with pytest.raises(UsageError, match=said):
        resolve(place, snapshot.timeline, snapshot.calls)


def test_a_run_without_errors_says_so():
    with pytest.raises(UsageError, match="No span of this run failed"):
        resolve(FirstError(), Timeline([span("0" * 16)]), ())


def test_the_plain_story_marks_the_place(tmp_path: Path):
    run = ReplayRun(build_sample_run(tmp_path))
    rows = list(tell(run, found=Found(21_000 * MS)))
    here = next(i for i, row in enumerate(rows) if "◀ here" in row)
    assert rows[here].startswith("00:21.000")
    assert rows[here - 1][:9] <= "00:21.000" < rows[here + 1][:9]
    assert any(row.startswith("At 00:21.000") for row in rows)
    assert not any("◀ here" in row for row in tell(run))


def test_words_that_a_row_shows_are_found_after_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    snapshot = ReplayRun(build_sample_run(tmp_path)).snapshot

    def shown(text: str) -> str:
        row = resolve(Named(text), snapshot.timeline, snapshot.calls).row
        assert row is not None
        span = snapshot.timeline.row(row).span
        return f"{display.title(span)} {display.detail(span)}"

    for look_at in (1_000, 3, 0):
        monkeypatch.setattr(places, "_LOOK_AT", look_at)
        assert shown("shell cargo") == "shell cargo build"
        assert shown("CARGO TEST") == "shell cargo test"
        assert shown("rust-error") == "cell "  # in its name, and in what others show


def test_a_name_is_found_in_a_large_run_as_in_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    snapshot = ReplayRun(build_sample_run(tmp_path)).snapshot
    names = {text for span in snapshot.timeline.spans for text in (span.name, display.title(span))}
    texts = sorted(names | {name[1:4].upper() for name in names} - {""})
    small = [resolve(Named(text), snapshot.timeline, snapshot.calls) for text in texts]
    monkeypatch.setattr(places, "_LOOK_AT", 0)

    assert [resolve(Named(text), snapshot.timeline, snapshot.calls) for text in texts] == small
    assert len(texts) > 20
    with pytest.raises(UsageError, match="span name is 'of no span'"):
        resolve(Named("of no span"), snapshot.timeline, snapshot.calls)
