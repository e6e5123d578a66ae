"""One pass over the spans of a finished run tells the same as following it while it grew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cabtrace.model.span import SpanRecord
from cabtrace.store.span_order import OrderedFacts
from cabtrace.store.span_scan import SpanScan
from tests.support.recording import new_recorder
from tests.support.sample_run import write_span
from tests.support.spans import span

ONE, TWO, THREE, NEVER = (letter * 16 for letter in "abcd")
PLAIN = [span(ONE, 0, 9), span(TWO, 1, 3, parent=ONE, kind="model_call"), span(THREE, 2, 3, parent=TWO)]
TWICE = [*PLAIN, replace(PLAIN[1], name="again"), replace(PLAIN[2], parent_id=ONE)]


def told(facts: OrderedFacts) -> list[list[int]]:
    columns = (facts.ids, facts.starts, facts.ends, facts.offsets, facts.kinds, facts.flags, facts.parents, *facts.calls)
    return [list(column) for column in columns]


@pytest.mark.parametrize("recorded", [PLAIN, TWICE], ids=["each-once", "some-twice"])
@pytest.mark.parametrize("open_too", [False, True], ids=["all-ended", "one-open"])
def test_finished_and_followed_are_alike(tmp_path: Path, recorded: list[SpanRecord], open_too: bool) -> None:
    writer = new_recorder(tmp_path).writer
    followed = SpanScan(writer.path)
    for begun in (PLAIN[0], span(NEVER, 4, None, parent=ONE)) if open_too else ():
        write_span(writer, begun, log="open")
    for record in recorded:
        write_span(writer, record)
        followed.refresh(live=True)
    followed.refresh(live=False)
    at_once = SpanScan(writer.path)
    at_once.refresh(live=False)

    assert at_once.warnings() == followed.warnings()
    assert told(at_once.facts(at_once.records())) == told(followed.facts(followed.records()))
    assert len(told(at_once.facts(at_once.records(), last=True))[0]) == 3 + open_too


def test_a_scan_of_a_finished_run_goes_on_with_what_comes_later(tmp_path: Path) -> None:
    writer = new_recorder(tmp_path).writer
    write_span(writer, PLAIN[0])
    scan = SpanScan(writer.path)
    scan.refresh(live=False)
    for record in TWICE[1:]:
        write_span(writer, record)
        assert scan.refresh(live=False)
    assert len(told(scan.facts(scan.records()))[0]) == 3
    assert scan.warnings() == ["2 spans were recorded twice; the later record is shown."]
