"""The first pass over a trace: what is found by the short way is what parsing the whole line finds."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.model.otlp_lines import span_line
from exporters.source import _identify, _Lines, span_source
from tests.support.export_runs import many_spans, run_of

LINES = [span_line(span).rstrip(b"\n") for span in many_spans(5)]
SPAN = orjson.loads(LINES[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
BEFORE = LINES[0].partition(b'"spans":[')[0] + b'"spans":['


def both(data: bytes, lines: _Lines) -> tuple[object, object]:
    found = []
    for way in (lines.identify, _identify):
        try:
            ids, traces, last_ns = way(data)
        except (ValueError, KeyError, TypeError, AttributeError):
            found.append(None)
        else:
            found.append((list(ids), list(traces), last_ns))
    return found[0], found[1]


@given(st.lists(st.sampled_from(LINES), max_size=3), st.binary(max_size=30), st.integers(0, 2_000), st.integers(0, 40))
def test_damaged_lines_are_found_either_way(before: list[bytes], junk: bytes, at: int, cut: int) -> None:
    lines = _Lines()
    for line in before:
        short, whole = both(line, lines)
        assert short == whole is not None
    at = min(at, len(LINES[1]))

    short, whole = both(LINES[1][:at] + junk + LINES[1][at + cut :], lines)

    assert short == whole


@pytest.mark.parametrize(
    "inside",
    [
        b"", b"{}", b"null", b"[]", b"7", b'"x"', orjson.dumps(SPAN) + b"," + orjson.dumps({**SPAN, "spanId": "00000000000000aa"}),
        orjson.dumps({**SPAN, "traceId": "zz"}), orjson.dumps({**SPAN, "traceId": 5}), orjson.dumps({**SPAN, "spanId": None}),
        orjson.dumps({**SPAN, "traceId": SPAN["traceId"].upper()}), orjson.dumps({**SPAN, "endTimeUnixNano": "x"}),
        orjson.dumps(SPAN) + b']}]},{"scopeSpans":[{"spans":[' + orjson.dumps({**SPAN, "spanId": "00000000000000bb"}),
        orjson.dumps({**SPAN, "attributes": [[[[[]]]]] * 50}), b'{"a":' * 300 + b"1" + b"}" * 300,
    ],
)  # fmt: skip
def test_odd_lines_are_found_either_way(inside: bytes) -> None:
    lines = _Lines()
    lines.identify(LINES[0])

    short, whole = both(BEFORE + inside + b"]}]}]}", lines)

    assert short == whole


def test_a_bad_line_amid_good_ones_is_counted(tmp_path: Path) -> None:
    run = run_of(tmp_path, many_spans(10))
    good = (run.path / "trace.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "trace.jsonl").write_bytes(b"".join([*good[:4], good[4][:60] + good[4][70:], *good[5:]]))

    source = span_source(run)

    assert (source.spans, source.bad_lines) == (9, [5])
