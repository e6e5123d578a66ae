"""`--fold`: an agent's chatter leaves as one span that says how many it stands for, by the rule by which the replay folds."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cabtrace.cli.main import cli
from cabtrace.model import semconv as sc
from cabtrace.model.folding import FOLD_AT_LEAST
from cabtrace.model.span import STATUS_ERROR, SpanRecord
from cabtrace.store.reader import RunView
from exporters.fold import fold
from exporters.otlp.export import Options, export_run
from exporters.otlp.outbox import pending
from exporters.otlp.outgoing import Shape
from exporters.otlp.settings import resolve
from exporters.source import span_source
from replay.timeline import Timeline
from tests.support.export_runs import START_NS, TRACE_ID, run_of
from tests.support.otlp_receiver import Misbehaviour, Receiver
from tests.support.sample_run import build_sample_run

ROOT = f"{1:016x}"


def span(number: int, parent: str | None = ROOT, attributes: dict[str, Any] | None = None, **more: Any) -> SpanRecord:
    start_ns = START_NS + number * 1_000
    return SpanRecord(
        TRACE_ID, f"{number:016x}", parent, "SELECT", start_ns, start_ns + 500, attributes=attributes or {}, scope="s", **more
    )


def root() -> SpanRecord:
    return replace(span(1, None, {sc.SPAN_KIND: "cell"}), end_ns=START_NS + 10**9)


def folded(tmp_path: Path, *spans: SpanRecord) -> tuple[list[SpanRecord], int]:
    source = fold(span_source(run_of(tmp_path, spans)))
    records = list(source.records())
    assert len(records) == source.spans
    return records, source.folded


def test_many_quiet_spans_become_one_that_says_so(tmp_path: Path) -> None:
    quiet = [replace(span(n), name=f"SELECT {n % 2}") for n in range(2, 12)]

    records, count = folded(tmp_path, *quiet[::-1], root())

    (one,) = [s for s in records if sc.FOLDED in s.attributes]
    assert (len(records), count) == (2, 9)
    assert one.attributes == {sc.FOLDED: 10, sc.FOLDED_NAMES: ("SELECT 1", "SELECT 0"), sc.FOLDED_BUSY_NS: 5_000} or one.attributes == {
        sc.FOLDED: 10, sc.FOLDED_NAMES: ["SELECT 1", "SELECT 0"], sc.FOLDED_BUSY_NS: 5_000}  # fmt: skip
    assert (one.span_id, one.parent_id, one.name) == (quiet[0].span_id, ROOT, "quiet spans")
    assert (one.start_ns, one.end_ns) == (quiet[0].start_ns, quiet[-1].end_ns)


@pytest.mark.parametrize(
    "loud",
    [
        {"attributes": {sc.GEN_AI_OPERATION: "chat"}},
        {"attributes": {sc.SPAN_KIND: "tool_call"}},
        {"status_code": STATUS_ERROR},
    ],
    ids=["convention", "kind", "failed"],
)
def test_what_matters_is_not_folded_and_parts_what_is(tmp_path: Path, loud: dict[str, Any]) -> None:
    spans = [span(n) for n in range(2, 2 + 2 * FOLD_AT_LEAST - 1)]
    spans[FOLD_AT_LEAST - 1] = replace(spans[FOLD_AT_LEAST - 1], **loud)

    records, count = folded(tmp_path, *spans, root())

    assert count == 0
    assert len(records) == len(spans) + 1


def test_spans_with_something_below_them_stay(tmp_path: Path) -> None:
    quiet = [span(n) for n in range(2, 2 + FOLD_AT_LEAST)]

    records, count = folded(tmp_path, *quiet, span(50, quiet[2].span_id), root())

    assert count == 0
    assert len(records) == FOLD_AT_LEAST + 2


@pytest.mark.parametrize("seed", range(12))
def test_what_it_folds_the_replay_folds_as_well(tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)
    spans = [root()]
    for number in range(2, 150):
        kind = choice.choice([{}, {}, {}, {}, {sc.SPAN_KIND: "agent"}, {sc.GEN_AI_OPERATION: "chat"}, {sc.SPAN_KIND: ""}])
        parent = spans[choice.randrange(max(len(spans) // 8, 1))].span_id
        status = STATUS_ERROR if choice.random() < 0.05 else 0
        spans.append(span(number, parent, dict(kind), status_code=status))
    choice.shuffle(spans)
    run = run_of(tmp_path, spans)

    ours = {int(s.span_id, 16): s.attributes[sc.FOLDED] for s in fold(span_source(run)).records() if sc.FOLDED in s.attributes}

    assert ours
    timeline = Timeline(run.spans())
    for leader, count in ours.items():  # the replay's rows also hold those with something quiet below
        row = timeline.find((f"{leader:016x}", False))
        assert row is not None
        assert timeline.row(timeline.parent(row)).group >= count


def test_the_command_folds_and_says_so_and_is_off_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    run = RunView(build_sample_run(tmp_path))
    with Receiver() as receiver:
        argv = ["export", "otlp", "@last", "--store", str(tmp_path), "--endpoint", receiver.url]
        plain = CliRunner().invoke(cli, argv, standalone_mode=False)
        before = len(receiver.spans)
        done = CliRunner().invoke(cli, [*argv, "--fold"], standalone_mode=False)

    spans = len(run.spans())
    assert before == spans
    assert "folded" not in plain.output
    assert len(receiver.spans) - before == spans - 11
    assert "11 quiet spans are folded into others" in done.output
    assert f"{spans - 11:,} delivered, 0 rejected, 0 waiting" in done.output


def test_a_folded_export_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    run = RunView(build_sample_run(tmp_path))
    with Receiver(lambda number, *_: Misbehaviour(401) if number == 1 else Misbehaviour()) as receiver:
        options = Options(resolve({}, endpoint=receiver.url), Shape(fold=True), store=tmp_path)
        first = export_run(run, options)
        (job,) = pending(tmp_path)
        done = CliRunner().invoke(cli, ["export", "--resume", "--store", str(tmp_path)], standalone_mode=False)

    assert job.job.fold
    assert first.waiting == first.spans == len(run.spans()) - 11
    assert f"{first.spans:,} delivered" in done.output
    assert len(receiver.spans) == first.spans
