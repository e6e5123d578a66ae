"""Search: where words are found, in which order, and that it is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cabtrace.model.log import LogRecord
from cabtrace.model.otlp_lines import log_line
from cabtrace.model.span import SpanEvent
from replay.run import ReplayRun
from replay.search import Hit, Results, Said, Where, search
from replay.session import Session
from replay.sources import on_screen, spoken, texts
from replay.timeline import Timeline
from tests.support.sample_run import START_NS, build_sample_run
from tests.support.spans import BASE_NS, span

MS = 1_000_000


def found(query: str, *spans, said=(), screen=None, **options) -> list[tuple[int, str, str]]:
    results = search(query, Timeline(list(spans)), said, screen, **options)
    return [(hit.offset_ns // MS, hit.where.value, hit.excerpt) for hit in results.hits]


def test_names_keys_values_messages_and_events_of_spans():
    first = span("a" * 16, 0, 100, name="prepare the Needle")
    second = span("b" * 16, 10, 20, parent="a" * 16, **{"needle.key": 1})
    third = span("c" * 16, 30, 40, parent="a" * 16, text="hay and a needle in it")
    event = SpanEvent("exception", BASE_NS + 55 * MS, {"exception.message": "no needle"})
    fourth = span("d" * 16, 50, 60, parent="a" * 16, events=(event,))
    assert found("NEEDLE", first, second, third, fourth) == [
        (0, "span", "prepare the Needle"),
        (10, "attribute", "needle.key = 1"),
        (30, "attribute", "text = hay and a needle in it"),
        (55, "event", "exception.message = no needle"),
    ]


def test_what_was_said_and_a_span_that_shows_it():
    hits = search("fox", Timeline([span("a" * 16)]), [Said(5 * MS, 0, Where.MESSAGE, "the quick\nbrown fox\njumps")]).hits
    assert hits == (Hit(5 * MS, 0, Where.MESSAGE, "brown fox"),)


class Shown:
    """What a screen showed, as (milliseconds, line)."""

    full = False

    def __init__(self, *lines: tuple[int, str]) -> None:
        self._lines = lines

    def find(self, query: str) -> Iterator[tuple[int, str, re.Match[str]]]:
        for at_ms, line in self._lines:
            for match in re.finditer(query, line):
                yield at_ms * MS, line, match


def test_words_on_the_screen_are_found_and_a_line_that_is_drawn_again_counts_once():
    screen = Shown((3, "error: mismatched types"), (5, "build 3/9"), (6, "build 4/9"), (8, "build 3/9"))
    assert found("mismatched types", screen=screen) == [(3, "screen", "error: mismatched types")]
    assert found("build", screen=screen) == [(5, "screen", "build 3/9"), (6, "screen", "build 4/9")]
    assert found("nothing", screen=screen) == []


def test_a_screen_of_which_not_everything_is_kept_says_so():
    screen = Shown((3, "one"))
    screen.full = True
    assert search("one", Timeline([]), (), screen).count_words() == "1+"


def test_it_is_bounded_and_can_be_stopped():
    spans = [span(f"{i:016x}", i, i + 1, name="same") for i in range(50)]
    results = search("same", Timeline(spans), (), most=10)
    assert (len(results.hits), results.more, results.count_words()) == (10, True, "10+")
    assert search("same", Timeline(spans), (), stop=lambda: True) == Results("same", (), more=True)
    assert found("", *spans) == []


def test_brackets_and_stars_are_only_text():
    assert found("a[0-9]*", span("a" * 16, name="x a[0-9]* y")) == [(0, "span", "x a[0-9]* y")]


def test_results_are_stepped_through_also_where_several_share_an_instant():
    results = Results("x", tuple(Hit(at, None, Where.SCREEN, "") for at in (5, 5, 9)))
    assert results.step(0, 1, None) == 0
    assert results.step(5, 1, 0) == 1
    assert results.step(5, 1, 1) == 2
    assert results.step(9, 1, 2) is None
    assert results.step(9, -1, 2) == 1
    assert results.step(7, -1, None) == 1
    assert results.step(0, -1, None) is None


def test_leaves_of_a_message_without_recursion():
    assert list(texts({"role": "user", "parts": [{"type": "text", "content": "one"}, "two", {"a": {"b": ["three", 4]}}]})) == [
        "one",
        "two",
        "three",
    ]
    deep: list[object] = ["end"]
    for _ in range(5_000):
        deep = [deep]
    assert list(texts(deep)) == ["end"]


@pytest.fixture
def run(tmp_path: Path) -> ReplayRun:
    path = build_sample_run(tmp_path)
    log = LogRecord(time_ns=START_NS + 3_000 * MS, body="the zebra crossed", severity_text="INFO", attributes={"road": "A5"})
    (path / "logs.jsonl").write_bytes(b"not json\n" + log_line(log) + b'{"resourceLogs": 3}\n{"torn')
    return ReplayRun(path)


def test_a_whole_run(run: ReplayRun):
    timeline = run.snapshot.timeline

    def where(query: str) -> list[tuple[int, str]]:
        hits = search(query, timeline, spoken(run, run.snapshot), on_screen(run)).hits
        return [(hit.offset_ns // MS, hit.where.value) for hit in hits]

    assert where("zebra") == [(3_000, "log")]
    assert where("road = A5") == [(3_000, "log")]
    assert (151, "message") in where("careful engineer")
    assert len([w for w in where("careful engineer") if w[1] == "message"]) == 1
    assert "screen" in {w for _, w in where("mismatched types")}


def test_the_session_goes_from_hit_to_hit(run: ReplayRun):
    session = Session(run, lambda: 0)
    session.step_hit(1)
    assert "Nothing was searched for" in session.notice
    results = search("mismatched", session.snapshot.timeline, spoken(run, run.snapshot), on_screen(run))
    session.take_results(results)
    first = session.position_ns
    assert first == results.hits[0].offset_ns
    assert session.notice.startswith(f"hit 1 of {len(results.hits)} ")
    for _ in results.hits[1:]:
        session.step_hit(1)
    assert session.position_ns == results.hits[-1].offset_ns
    session.step_hit(1)
    assert session.notice.startswith(f"wrapped to the first of {len(results.hits)} ")
    assert session.position_ns == first
    session.step_hit(-1)
    assert session.notice.startswith(f"wrapped to the last of {len(results.hits)} ")
    for _ in results.hits[1:]:
        session.step_hit(-1)
    assert session.position_ns == first
    session.take_results(replace(results, hits=results.hits[:1]))
    session.step_hit(1)
    assert session.notice.startswith("hit 1 of 1 ")
    session.end_search()
    assert (session.sought, session.notice) == (None, "")
    session.take_results(Results("nix"))
    assert "nowhere" in session.notice
