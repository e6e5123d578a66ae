"""An agent's own telemetry, from its exporter to the sealed trace of a real cell."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from cabtrace.model import semconv as sc
from cabtrace.model.outcome import Cause
from cabtrace.model.span import SpanRecord, SpanState
from cabtrace.modelserver.script import Script, ScriptedModel, ToolCall, Turn
from cabtrace.modelserver.server import ModelServer
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext, Transcript, TranscriptToolCall
from cabtrace.redact import Redactor
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import Cancel, CellSpec, Stats
from cabtrace.runner.task import load_task
from cabtrace.runner.telemetry import AgentTelemetry, finish_trace, resource_attributes
from cabtrace.store import layout
from cabtrace.store.reader import RunView
from cabtrace.store.recover import recover
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import PASSING_TEST, make_task
from tests.support.recording import new_recorder

PROGRAM = Path(__file__).parents[1] / "support" / "telemetry_agent.py"
TOKEN = "cbt-0123456789abcdef0123456789abcdef"
SECRET = "ghp_" + "0123456789abcdefghijABCDEFGHIJklmnop"
FOREIGN = "0af7651916cd43dd8448eb211c80319c"


class SpeakingAgent:
    """Runs the program beside this test."""

    name = "speaking"
    capabilities = AgentCapabilities(telemetry=True)

    def __init__(self, *argv: str) -> None:
        self._argv = argv

    def launch(self, context: LaunchContext) -> Launch:
        env = {
            "OPENAI_BASE_URL": f"{context.base_url}/v1",
            "OPENAI_API_KEY": context.token,
            "OTEL_EXPORTER_OTLP_ENDPOINT": context.otlp_endpoint,
            "OTEL_RESOURCE_ATTRIBUTES": context.resource_attributes,
            "TRACEPARENT": context.traceparent,
        }
        return Launch(argv=(sys.executable, str(PROGRAM), *self._argv), env=env)

    def executables(self) -> tuple[str, ...]:
        return ()


@pytest.fixture
def endpoint() -> Iterator[str]:
    call = ToolCall(name="shell", arguments={"command": "echo hello > hello.txt; cat hello.txt"})
    turns = (Turn(text="I will.", tool_call=(call,)), Turn(text="Done."))
    server = ModelServer([Script(schema_version="1", model=(ScriptedModel(name="*", turn=turns),))], speed=0)
    server.start()
    yield server.url
    server.stop()


class UntilItSpeaks:
    """Progress that stops the cell once the agent printed anything."""

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel

    def phase(self, name: str, detail: str = "") -> None:
        pass

    def stats(self, stats: Stats) -> None:
        if stats.terminal_bytes:
            self._cancel.set("it spoke")


def run(folder: Path, endpoint: str, *argv: str) -> RunView:
    spec = CellSpec(
        task=load_task(make_task(folder / "task", test_sh=PASSING_TEST)),
        agent=SpeakingAgent(*argv),
        model="m",
        store=folder / "store",
        scratch=folder / "scratch",
        sandbox="local",
        endpoint=endpoint,
        timeout_s=120,
        grace_s=0.5,
    )
    cancel = Cancel()
    result = run_cell(spec, UntilItSpeaks(cancel) if argv else None, cancel)
    assert result.lost_records == 0
    return RunView(result.path)


def tree(view: RunView) -> dict[str, SpanRecord]:
    """By id; one root, no orphan, all ended, the manifest right."""
    spans = {s.span_id: s for s in view.spans()}
    assert [s.name for s in spans.values() if s.parent_id is not None and s.parent_id not in spans] == []
    assert [s.attributes[sc.SPAN_KIND] for s in spans.values() if s.parent_id is None] == [sc.SpanKind.CELL]
    assert {s.trace_id for s in spans.values()} == {view.header.trace_id}
    assert {s.state for s in spans.values()} == {SpanState.ENDED}
    assert verify_run(view.path).problems == ()
    return spans


def test_a_cell_holds_what_its_agent_told(tmp_path: Path, endpoint: str) -> None:
    view = run(tmp_path, endpoint)

    spans = tree(view)
    [container] = [s for s in spans.values() if s.attributes[sc.SPAN_KIND] == sc.SpanKind.CONTAINER]
    [turn] = [s for s in spans.values() if s.name == "agent.turn"]
    assert turn.parent_id == container.span_id
    assert sc.VERDICT not in turn.attributes
    assert turn.resource["service.name"] == "spec-agent"
    assert turn.resource[sc.CELL_ID] == view.header.cell_id
    assert len([s for s in spans.values() if s.name.startswith("auth") and s.parent_id == container.span_id]) == 3
    calls = [s for s in spans.values() if s.attributes[sc.SPAN_KIND] == sc.SpanKind.MODEL_CALL]
    assert len(calls) == len(view.calls()) == 2
    for call in calls:
        assert call.attributes[sc.CALL_SOURCES] == ("proxy", "telemetry")
        assert call.parent_id == turn.span_id
        assert view.call_body(call.span_id).complete
    [tool] = [s for s in spans.values() if s.attributes.get(sc.GEN_AI_TOOL_NAME) == "shell"]
    assert tool.attributes[sc.TOOL_CALL_SOURCES] == ("telemetry", "model_calls")
    assert tool.attributes[sc.GEN_AI_TOOL_RESULT] == "hello\n"
    assert (tool.end_ns or 0) > tool.start_ns
    assert tool.parent_id == turn.span_id
    assert container.attributes["cabtrace.telemetry.spans"] == 7
    assert not [s for s in spans.values() if s.attributes.get(sc.SYNTHETIC)]


def test_what_a_killed_agent_had_sent_hangs_under_a_parent_that_stands_for_its_own(tmp_path: Path, endpoint: str) -> None:
    view = run(tmp_path, endpoint, "hang")

    spans = tree(view)
    assert view.header.cause is Cause.CANCELLED
    [stand_in] = [s for s in spans.values() if s.attributes.get(sc.SYNTHETIC)]
    children = [s for s in spans.values() if s.parent_id == stand_in.span_id]
    assert len(children) == 3
    assert stand_in.start_ns == min(s.start_ns for s in children)
    assert any("never arrived" in w for w in view.warnings())


def test_no_secret_of_it_reaches_the_disk(tmp_path: Path, endpoint: str) -> None:
    view = run(tmp_path, endpoint)

    [turn] = [s for s in view.spans() if s.name == "agent.turn"]
    assert "[redacted:" in turn.text("note")
    for path in view.path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET.encode() not in data
            assert b"cbt-" not in data


def send(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        assert response.status == 200


def otlp_span(span_id: str, name: str, parent: str = "", trace: str = FOREIGN) -> dict[str, object]:
    return {"traceId": trace, "spanId": span_id, "parentSpanId": parent, "name": name, "startTimeUnixNano": "5",
            "endTimeUnixNano": "9", "kind": 1}  # fmt: skip


def test_logs_are_strict_otlp_lines_under_the_cells_ids(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path, Redactor({"run_token": TOKEN}))
    telemetry = AgentTelemetry(recorder, "c" * 32, recorder.ids.reserve(), TOKEN)
    telemetry.start()
    secret = {"key": "authorization", "value": {"stringValue": "Bearer abcdefgh12345678"}}
    record = {"timeUnixNano": "7", "traceId": FOREIGN, "spanId": "a" * 16, "severityNumber": 9,
              "body": {"kvlistValue": {"values": [secret]}},
              "attributes": [{"key": "event.name", "value": {"stringValue": f"said {TOKEN}"}}]}  # fmt: skip
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, {"body": {"stringValue": "no trace"}}]}]}]}
    send(f"{telemetry.endpoint('127.0.0.1')}/v1/logs", body)
    telemetry.stop()
    recorder.writer.close()

    lines = recorder.writer.path.joinpath(layout.LOGS).read_text().splitlines()
    assert TOKEN not in "".join(lines)
    assert "abcdefgh12345678" not in "".join(lines)
    first, second = (json.loads(x)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0] for x in lines)
    assert (first["traceId"], first["spanId"]) == ("c" * 32, "a" * 16)
    assert {a["key"] for a in first["attributes"]} == {"event.name", sc.ORIGINAL_TRACE_ID}
    assert "traceId" not in second
    for line in lines:
        data = json.loads(line)
        for key in ("traceId", "spanId"):  # the official parser takes ids as base64
            data["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].pop(key, None)
        json_format.ParseDict(data, LogsData())
    assert telemetry.counts["logs"] == 2


def test_a_thousand_spans_of_many_traces_are_all_there(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    trace_id = f"{root.get_span_context().trace_id:032x}"
    reserved = recorder.ids.reserve()
    telemetry = AgentTelemetry(recorder, trace_id, reserved, TOKEN)
    telemetry.start()
    container = recorder.start("container", sc.SpanKind.CONTAINER, parent=root, span_id=reserved)
    spans = [otlp_span(f"{n + 1:016x}", "sql.execute", f"{n // 12 * 12 + 1:016x}" if n % 12 else "", f"{n // 12 + 1:032x}")
             for n in range(1043)]  # fmt: skip
    url = f"{telemetry.endpoint('127.0.0.1')}/v1/traces"
    for start in range(0, len(spans), 300):
        send(url, {"resourceSpans": [{"scopeSpans": [{"spans": spans[start : start + 300]}]}]})
    send(url, {"resourceSpans": [{"scopeSpans": [{"spans": spans[:300]}]}]})  # an exporter that tries again
    telemetry.stop()
    recorder.end(container)
    sealed = finish_trace(recorder)
    recorder.end(root)
    recorder.writer.close(status="finished")

    found = RunView(recorder.writer.path).spans()
    assert len(found) == 1045
    assert len([s for s in found if s.parent_id == reserved]) == 87
    assert (sealed.changed, sealed.notes) == (False, ())
    assert (telemetry.counts["spans"], telemetry.counts["duplicates"]) == (1343, 300)


def test_a_transcript_is_cleaned_before_it_is_merged(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    call = TranscriptToolCall("t1", "bash", "{}", f"token {SECRET}", 10**18, 10**18 + 5, 1, f"failed with {SECRET}")

    sealed = finish_trace(recorder, Transcript(tool_calls=(call,)))
    recorder.end(root)
    recorder.writer.close(status="finished")

    assert sealed.changed
    assert SECRET not in recorder.writer.path.joinpath(layout.TRACE).read_text()
    [tool] = [s for s in RunView(recorder.writer.path).spans() if s.attributes[sc.SPAN_KIND] == sc.SpanKind.TOOL_CALL]
    assert tool.attributes[sc.TOOL_CALL_SOURCES] == ("transcript",)
    assert tool.failed


def test_recover_merges_what_a_dead_recorder_left(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    reserved = recorder.ids.reserve()
    telemetry = AgentTelemetry(recorder, f"{root.get_span_context().trace_id:032x}", reserved, TOKEN)
    telemetry.start()
    recorder.start("container", sc.SpanKind.CONTAINER, parent=root, span_id=reserved)
    spans = [otlp_span("1" * 16, "claude_code.llm_request", "2" * 16), otlp_span("3" * 16, "auth")]
    send(f"{telemetry.endpoint('127.0.0.1')}/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    telemetry.stop()
    recorder.writer._lock.release()  # as the kernel does when the process dies

    recover(recorder.writer.path)

    view = RunView(recorder.writer.path)
    found = {s.name: s for s in view.spans()}
    assert found["claude_code.interaction"].attributes[sc.SYNTHETIC] is True
    assert found["claude_code.llm_request"].parent_id == found["claude_code.interaction"].span_id
    assert found["claude_code.interaction"].parent_id == found["auth"].parent_id == found["container"].span_id
    assert found["container"].attributes[sc.ABORTED] is True
    assert any("never arrived" in w for w in view.warnings())
    assert verify_run(view.path).problems == ()


def test_resource_attributes_are_escaped() -> None:
    assert resource_attributes({"a": "x=1,y z", "b": "", "c": "ü"}) == "a=x%3D1%2Cy%20z,c=%C3%BC"
