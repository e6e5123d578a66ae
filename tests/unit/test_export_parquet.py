"""Parquet, read back with pyarrow: a row a span, typed columns, the rest as JSON, whatever the values are."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cabtrace.model import semconv as sc
from cabtrace.store.reader import RunView
from exporters.files import parquet as module
from exporters.files.parquet import ParquetExporter, columns
from tests.support.export_runs import many_spans, run_of
from tests.support.sample_run import build_sample_run

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")


def table(run: RunView) -> Any:
    out = io.BytesIO()
    ParquetExporter().export(run, out)
    return pq.read_table(io.BytesIO(out.getvalue()))


def rows_of(found: Any) -> list[dict[str, Any]]:
    """Times as integers: Python's datetime has no nanoseconds."""
    for number, name in enumerate(found.column_names):
        if name in ("start_time", "end_time"):
            found = found.set_column(number, name, found[name].cast("int64"))
    return sorted(found.to_pylist(), key=lambda r: r["span_id"])


def test_every_span_is_a_row_with_its_times_to_the_nanosecond(tmp_path: Path) -> None:
    run = run_of(tmp_path, many_spans(500))

    found = table(run)
    rows = rows_of(found)

    assert found.column_names == list(columns())
    assert [r["span_id"] for r in rows] == sorted(s.span_id for s in run.spans())
    for span, row in zip(sorted(run.spans(), key=lambda s: s.span_id), rows, strict=True):
        assert (row["start_time"], row["end_time"]) == (span.start_ns, span.end_ns)
        assert row["duration_ns"] == (span.end_ns or 0) - span.start_ns
        assert (row["parent_span_id"], row["name"], row["status_message"] or "") == (
            span.parent_id,
            span.name,
            span.status_message,
        )
        assert json.loads(row["attributes"]) == json.loads(json.dumps(dict(span.attributes)))
        assert len(json.loads(row["events"])) == len(span.events)
        assert len(json.loads(row["links"])) == len(span.links)


def test_what_is_asked_for_often_has_its_own_type(tmp_path: Path) -> None:
    run = RunView(build_sample_run(tmp_path))

    found = table(run)
    calls = [r for r in rows_of(found) if r["span_kind"] == "model_call"]

    assert [str(found.schema.field(n).type) for n in ("start_time", "gen_ai_usage_input_tokens", "name")] == [
        "timestamp[ns, tz=UTC]",
        "int64",
        "string",
    ]
    assert sum(r["gen_ai_usage_input_tokens"] for r in calls) == sum(c.usage.input or 0 for c in run.calls())
    assert {r["verdict"] for r in rows_of(found)} == {"failed"}
    assert {r["model"] for r in rows_of(found)} == {run.header.model}


def test_values_of_another_type_are_null_in_the_column_and_whole_in_the_json(tmp_path: Path) -> None:
    odd = {
        sc.GEN_AI_INPUT_TOKENS: "many", sc.HTTP_STATUS: True, sc.GEN_AI_TTFT_S: float("nan"), sc.GEN_AI_TOOL_NAME: 5,
        "bytes": b"\x00\xff", "list": ("a", 1), "huge": 2**70, "map": {"a": {"b": b"c"}}, "inf": float("inf"),
    }  # fmt: skip
    spans = list(many_spans(3))
    spans[0] = replace(spans[0], attributes=odd, start_ns=0, end_ns=2**63 + 5)

    row = next(r for r in rows_of(table(run_of(tmp_path, spans))) if r["span_id"] == spans[0].span_id)

    assert (row["gen_ai_usage_input_tokens"], row["http_response_status_code"], row["gen_ai_tool_name"]) == (None, None, None)
    assert (row["start_time"], row["end_time"], row["duration_ns"]) == (None, None, None)
    kept = json.loads(row["attributes"])
    assert kept[sc.GEN_AI_INPUT_TOKENS] == "many"
    assert kept["bytes"] == {"bytes": "00ff"}
    assert kept["map"] == {"a": {"b": {"bytes": "63"}}}


def test_rows_are_written_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 100)
    out = io.BytesIO()
    ParquetExporter().export(run_of(tmp_path, many_spans(350)), out)

    file = pq.ParquetFile(io.BytesIO(out.getvalue()))

    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [100, 100, 100, 50]


def test_without_pyarrow_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    build_sample_run(tmp_path / "store")
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"  # as if it were not there
        "from cabtrace.cli.main import main\n"
        f"sys.exit(main(['export', 'parquet', '@last', '--store', {str(tmp_path / 'store')!r}, '-o', {str(tmp_path / 'x')!r}]))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 2
    assert "cabtrace[parquet]" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.glob("*x*")) == []
