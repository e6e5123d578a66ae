"""`cabtrace run --export`: the trace goes out when the cell is over, and the cell's result is what it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cabtrace.cli import export_after
from cabtrace.cli.main import main
from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from exporters.otlp.outbox import pending
from tests.support.cli_rig import FAILING_TEST, PASSING_TEST, make_task
from tests.support.otlp_receiver import Misbehaviour, Receiver


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(("OTEL_", "CABTRACE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")  # so that what the command sets is taken back
    monkeypatch.setenv("CABTRACE_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(export_after, "_PATIENCE_S", 0.0)
    monkeypatch.chdir(tmp_path)
    make_task(tmp_path / "good", solution="true\n", test_sh=PASSING_TEST)
    make_task(tmp_path / "bad", solution="true\n", test_sh=FAILING_TEST)


def run(task: str, *more: str) -> int:
    return main(["run", "--task", task, "--agent", "oracle", "--sandbox", "local", "--store", "store", *more])


def last() -> RunView:
    return RunView(list_runs(Path("store"))[-1].path)


def test_the_whole_trace_arrives_once_also_where_the_environment_names_the_receiver(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        code = run("good", "--export", "otlp", "--json")

    told = json.loads(capsys.readouterr().out)
    ids = {s.span_id for s in last().spans()}
    assert code == 0
    assert (told["export"]["delivered"], told["export"]["waiting"], told["export"]["spans"]) == (len(ids), 0, len(ids))
    assert set(receiver.span_ids) == ids
    assert set(receiver.span_ids.values()) == {1}
    assert pending(Path("store")) == []


@pytest.mark.parametrize(("task", "code"), [("good", 0), ("bad", 1)])
def test_a_receiver_that_is_down_changes_nothing_and_the_trace_waits(
    task: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(task, "--export", "jaeger=http://127.0.0.1:1") == code

    out = capsys.readouterr().out
    (line,) = [row for row in out.splitlines() if "export to jaeger" in row]
    assert "0 delivered, 0 rejected" in line
    assert "cabtrace export --resume" in line
    (job,) = pending(Path("store"))
    assert job.waiting == len(last().spans())
    assert job.job.preset == "jaeger"


def test_what_the_receiver_rejects_is_said_in_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver(lambda *_: Misbehaviour(rejected=2, message="too many of you")) as receiver:
        code = run("good", "--export", f"otlp={receiver.url}")

    assert code == 0
    assert "2 rejected" in (out := capsys.readouterr().out)
    assert "too many of you" in out


def test_an_export_that_cannot_even_be_tried_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")

    assert run("bad", "--export", "collector=https://127.0.0.1:1", "--json") == 1

    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "failed"
    assert told["export"]["problem"]
    assert "delivered" not in told["export"]


@pytest.mark.parametrize("target", ["zipkin", "jaeger=http://", "otlp=ftp://x", "=http://x"])
def test_a_target_that_makes_no_sense_is_said_before_anything_is_run(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good", "--export", target) == 2

    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("store").exists()


def test_the_environment_can_ask_for_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("CABTRACE_EXPORT", f"otlp={receiver.url}")
        assert run("good") == 0

    assert "export to otlp: " in capsys.readouterr().out
    assert set(receiver.span_ids) == {s.span_id for s in last().spans()}
