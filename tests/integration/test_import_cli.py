"""`cabtrace import otlp` as a user has it: what was exported comes back as the run that it was."""

from __future__ import annotations

import http.server
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cabtrace.cli.main import cli, main
from cabtrace.importers import otlp as importer
from cabtrace.importers.pieces import Piece, Source
from cabtrace.importers.trace_file import file_source
from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord
from cabtrace.redact import Redactor
from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, export_run
from exporters.otlp.outgoing import Shape
from exporters.otlp.settings import resolve
from tests.support.export_runs import many_spans, run_of
from tests.support.otlp_receiver import Receiver
from tests.support.sample_run import TRACE_ID, build_sample_run


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sample(tmp_path: Path) -> RunView:
    return RunView(build_sample_run(tmp_path / "store"))


def cabtrace(*argv: str) -> Result:
    return CliRunner().invoke(cli, [*argv, "--store", "store"], standalone_mode=False, catch_exceptions=False)


def imported(*argv: str) -> list[dict[str, Any]]:
    done = cabtrace("import", "otlp", *argv, "--json")
    assert done.return_value == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # JSON


def by_id(spans: Any) -> dict[str, SpanRecord]:
    return {s.span_id: s for s in spans}


def test_a_file_comes_back_as_the_same_spans(sample: RunView) -> None:
    assert cabtrace("export", "otlp-json", str(sample.path), "-o", "t.jsonl").return_value is None

    (made,) = imported("t.jsonl")
    run = RunView(Path(made["path"]))

    assert list(run.spans()) == list(sample.spans())
    assert [replace(c, error="") for c in run.calls()] == [replace(c, error="") for c in sample.calls()]
    assert (run.header.verdict, run.header.cause) == (sample.header.verdict, sample.header.cause)
    assert run.header.cause_detail == "2 of 5 tests failed"
    assert {a: s["value"] for a, s in run.header.scores.items()} == {a: s["value"] for a, s in sample.header.scores.items()}
    counted, before = (r.header.scores["tokens"]["values"]["total_tokens"] for r in (run, sample))
    assert counted == before == sum(c.usage.total or 0 for c in sample.calls())
    assert "tokens were added up" in " ".join(made["imported"]["missing"])
    assert (run.header.trace_id, run.header.exit_code, run.header.timeout_s) == (TRACE_ID, 0, 600.0)
    assert run.header.run_id != sample.header.run_id
    assert run.header.imported is not None
    assert run.header.imported.cell_id == sample.header.cell_id
    assert cabtrace("verify", str(run.path)).return_value == 0


@pytest.mark.parametrize("content", [False, True], ids=["without-content", "with-content"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_what_a_backend_was_sent_comes_back(sample: RunView, protocol: str, content: bool) -> None:
    shape = Shape(content, timeshift_ns=10**15, value_bytes=256)
    with Receiver() as receiver:
        export_run(sample, Options(resolve({}, protocol=protocol, endpoint=receiver.url), shape))
        (body,) = receiver.bodies
    Path("body").write_bytes(body)

    (made,) = imported("body")
    run = RunView(Path(made["path"]))

    before, after = by_id(sample.spans()), by_id(run.spans())
    assert {i: (s.start_ns, s.end_ns, s.parent_id, s.name) for i, s in after.items()} == {
        i: (s.start_ns, s.end_ns, s.parent_id, s.name.replace("[instruction withheld", "")) for i, s in before.items()
    }
    assert [c.usage for c in run.calls()] == [c.usage for c in sample.calls()]
    assert (run.header.started_at, run.header.clock.wall_ns) == (sample.header.started_at, sample.header.clock.wall_ns)
    missing = " ".join(made["imported"]["missing"])
    assert "shifted by 1,000,000.000 s" in missing
    if content:
        assert {i: dict(s.attributes) for i, s in after.items()} == {i: dict(s.attributes) for i, s in before.items()}
        for call in sample.calls():
            assert run.call_body(call.call_id).input_messages == sample.call_body(call.call_id).input_messages
            assert run.call_body(call.call_id).output_messages == sample.call_body(call.call_id).output_messages
        assert "withheld" not in missing
    else:
        assert "were withheld" in missing
        assert "6 of 6 model calls came without" in missing


def test_an_imported_run_is_a_run_for_every_command(sample: RunView) -> None:
    cabtrace("export", "otlp-json", str(sample.path), "-o", "t.jsonl")
    (made,) = imported("t.jsonl", "--sweep", "elsewhere")
    key = f"{made['cell_id']}/{made['attempt']}"

    assert made["cell_id"].startswith("elsewhere/")
    for argv in (["show", key], ["replay", key, "--plain"], ["why", key], ["ls"], ["verify", key], ["export", "markdown", key]):
        done = cabtrace(*argv)
        assert done.return_value in (None, 0), done.output
    assert "imported from t.jsonl" in cabtrace("show", key).stdout
    assert cabtrace("export", "otlp-json", key, "-o", "again.jsonl").return_value is None
    first, again = (sorted(p.read_bytes().splitlines()) for p in (Path("t.jsonl"), Path("again.jsonl")))
    assert [json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"] for line in again] == [
        json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"] for line in first
    ]


def with_trace(number: int) -> list[SpanRecord]:
    return [replace(s, trace_id=f"{number:032x}", links=()) for s in many_spans(20)]


def test_every_trace_of_a_file_is_a_run_of_its_own_and_one_may_be_named(tmp_path: Path) -> None:
    run = run_of(tmp_path / "other", [*with_trace(1), *with_trace(2), *with_trace(3)][::-1])
    data = (run.path / "trace.jsonl").read_bytes()
    Path("three.jsonl").write_bytes(data)

    made = imported("three.jsonl")
    (second,) = imported("three.jsonl", "--trace", f"{2:032x}")

    assert sorted(m["trace_id"] for m in made) == [f"{n:032x}" for n in (1, 2, 3)]
    assert [m["imported"]["spans"] for m in made] == [20, 20, 20]
    assert second["trace_id"] == f"{2:032x}"
    assert main(["import", "otlp", "three.jsonl", "--trace", "f" * 32, "--store", "store"]) == 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch, sample: RunView) -> None:
    data = (sample.path / "trace.jsonl").read_bytes()

    class Stdin:
        buffer = io.BytesIO(data)

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["import", "otlp", "-", "--store", "store"]) == 0
    (run,) = [r for r in list_runs(Path("store")) if r.header and r.header.imported]
    assert run.header is not None
    assert run.header.imported is not None
    assert run.header.imported.where == "standard input"


@pytest.mark.parametrize(
    ("verdict", "cause"), [("passed", "tests_failed"), ("great", "passed"), ("passed", ""), ("", "")], ids=str
)
def test_a_verdict_that_is_belied_is_unknown(tmp_path: Path, verdict: str, cause: str) -> None:
    root = {sc.SPAN_KIND: "cell", sc.VERDICT: verdict, sc.CAUSE: cause}
    run = run_of(tmp_path / "other", [replace(s, attributes=root) if s.parent_id is None else s for s in many_spans(5)])

    (made,) = imported(str(run.path / "trace.jsonl"))

    assert made["verdict"] is None
    assert "unknown" in cabtrace("import", "otlp", str(run.path / "trace.jsonl")).stdout


def test_a_span_that_came_twice_counts_once_and_the_last_is_taken(tmp_path: Path) -> None:
    spans = list(many_spans(20))
    changed = replace(spans[4], name="the later one")
    run = run_of(tmp_path / "other", [*spans, changed])

    (made,) = imported(str(run.path / "trace.jsonl"))
    view = RunView(Path(made["path"]))

    assert (made["imported"]["spans"], made["imported"]["duplicates"]) == (20, 1)
    assert by_id(view.spans())[changed.span_id].name == "the later one"
    assert not [w for w in view.warnings() if "recorded twice" in w]


def test_a_span_without_an_end_has_none(tmp_path: Path) -> None:
    line = (run_of(tmp_path / "other", many_spans(5)).path / "trace.jsonl").read_bytes().splitlines()[0]
    span = json.loads(line)
    del span["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["endTimeUnixNano"]
    Path("t.jsonl").write_text(json.dumps(span))

    (made,) = imported("t.jsonl")

    assert [s.end_ns for s in RunView(Path(made["path"])).spans()] == [None]
    assert "1 spans had not ended" in made["imported"]["missing"]


def test_what_could_not_be_read_is_said_by_the_exit_code_too(sample: RunView) -> None:
    Path("t.jsonl").write_bytes((sample.path / "trace.jsonl").read_bytes() + b"torn")

    done = cabtrace("import", "otlp", "t.jsonl")

    assert done.return_value == 1
    assert "0 spans and 1 lines could not be read" in done.stdout


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl"),
        ([], "Name either"),
        (["t", "--from", "jaeger"], "Name either"),
        (["--from", "jaeger"], "needs --trace"),
        (["--from", "jaeger", "--trace", "xyz"], "no trace id"),
        (["--from", "tempo", "--trace", "1" * 32, "--endpoint", "nonsense"], "no address"),
        (["--from", "tempo", "--trace", "1" * 32, "--endpoint", "http://127.0.0.1:1"], "does not answer"),
        (["logs.jsonl"], "logs or metrics"),
        (["."], "not a regular file"),
        (["nothing.jsonl"], "holds no spans"),
        (["t", "--sweep", ""], "--sweep"),
        (["t", "--endpoint", "http://x"], "--from"),
    ],
    ids=lambda v: "_".join(v).replace("/", "") if isinstance(v, list) else "",
)
def test_a_wrong_call_gets_one_sentence_and_leaves_nothing(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("logs.jsonl").write_text('{"resourceLogs":[]}\n')
    Path("nothing.jsonl").write_text('{"resourceSpans":[]}\n')

    code = main(["import", "otlp", *argv, "--store", "store"])

    error = capsys.readouterr().err
    assert code in (2, 3)
    assert words in error
    assert error.count("\n") == 1
    assert not Path("store").exists()


@pytest.mark.parametrize("argv", [["import"], ["import", "langfuse"]], ids=["nothing", "unknown"])
def test_the_group_says_what_it_takes(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2

    error = capsys.readouterr().err
    assert "otlp" in error
    assert error.count("\n") == 1


def test_where_one_run_cannot_be_made_none_is(tmp_path: Path) -> None:
    run = run_of(tmp_path / "other", [*with_trace(1), *with_trace(2)])
    source = file_source(run.path / "trace.jsonl", "t")
    passes = 0

    def pieces() -> Iterator[Piece]:
        nonlocal passes
        passes += 1
        for number, piece in enumerate(source.pieces()):
            if passes == 2 and number == 30:
                raise KeyboardInterrupt
            yield piece

    with pytest.raises(KeyboardInterrupt):
        importer.import_traces(Source("t", "otlp-json", pieces), Path("store"), Redactor())

    assert list(Path("store").rglob("*")) == []


def test_secrets_of_this_machine_stay_out(sample: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-this-is-quite-a-secret-0123456789"
    text = (sample.path / "trace.jsonl").read_text().replace("SELECT sessions", f"SELECT {secret}")
    Path("t.jsonl").write_text(text)
    monkeypatch.setenv("SOME_API_KEY", secret)

    (made,) = imported("t.jsonl")

    assert secret not in "".join(p.read_text("utf-8", "replace") for p in Path(made["path"]).rglob("*") if p.is_file())


def test_what_a_foreign_trace_says_reaches_the_terminal_harmless(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J../../../etc\u202e"
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": evil, "gen_ai.request.model": evil}
    spans = [replace(s, name=evil, attributes=attributes, resource={sc.SERVICE_NAME: evil}) for s in many_spans(3)]
    name = "odd\x1b[31m.jsonl"
    Path(name).write_bytes((run_of(tmp_path / "other", spans).path / "trace.jsonl").read_bytes())

    done = cabtrace("import", "otlp", name)
    shown = cabtrace("show", "@last")

    assert done.return_value == 0
    for text in (done.output, shown.output):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
    made = list(Path("store").rglob("*"))
    assert all(".." not in p.parts and p.resolve().is_relative_to(Path("store").resolve()) for p in made)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_trace_from_a_backend(sample: RunView) -> None:
    resource_spans = [
        r for line in (sample.path / "trace.jsonl").read_bytes().splitlines() for r in json.loads(line)["resourceSpans"]
    ]

    with answering(200, json.dumps({"trace": {"resourceSpans": resource_spans}}).encode()) as url:
        (made,) = imported("--from", "tempo", "--trace", TRACE_ID.upper(), "--endpoint", url)

    assert list(RunView(Path(made["path"])).spans()) == list(sample.spans())
    assert made["imported"]["where"] == f"{url} (trace {TRACE_ID})"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"", "does not have the trace"),
        (500, b"\x1b[31mboom", "HTTP 500"),
        (200, b"<html>", "no JSON"),
        (200, b"[1, 2]", "holds no trace"),
        (200, b'{"trace": {"resourceSpans": 7}}', "cannot be read"),
        (200, b'{"trace": {"batches": [{"scopeSpans": [{"spans": [{}]}]}]}}', "cannot be read"),
    ],
    ids=["missing", "broken", "html", "list", "shape", "span"],
)
def test_an_answer_that_is_no_trace(status: int, body: bytes, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(status, body) as url:
        code = main(["import", "otlp", "--from", "tempo", "--trace", TRACE_ID, "--endpoint", url, "--store", "store"])

    error = capsys.readouterr().err
    assert code in (2, 3)
    assert words in error
    assert "\x1b" not in error
