"""Hostile records, names and calls on a real terminal: not one byte of a payload gets through, markup is shown as it is."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from tests.security.escapes_corpus import ESCAPES, HIDDEN, MARKUP, payloads
from tests.support.cli_rig import CommandLine, Done, make_task, on_terminal
from tests.support.sample_run import build_sample_run

# What the format itself needs: changed, a reader would not get as far as showing anything.
KEPT = frozenset(
    (
        "format",
        "status",
        "verdict",
        "cause",
        "kind",
        "started_at",
        "ended_at",
        "run_id",
        "trace_id",
        "traceId",
        "spanId",
        "parentSpanId",
        "startTimeUnixNano",
        "endTimeUnixNano",
        "timeUnixNano",
        "intValue",
        "call_id",
        "type",
        "model_calls",
        "version",
    )
)
KEPT_ATTRIBUTES = frozenset(("cabtrace.span.kind", "gen_ai.operation.name"))
# Runs every command in one process, which is what stands on the terminal's other side. Each argv is a line of JSON on fd 3.
DRIVER = """
import json, sys
from cabtrace.cli.main import main
for line in open(sys.argv[1], encoding="utf-8", errors="surrogateescape"):
    try:
        code = main(json.loads(line))
    except BaseException as error:
        code = f"{type(error).__name__}"
    sys.stdout.flush()
    print(f"<<<{code}>>>", flush=True)
"""


def poison(value: Any, payload: str, key: str = "") -> Any:
    """The same JSON with the payload at the end of every string in it, and in the names of attributes."""
    if isinstance(value, str):
        return value if key in KEPT else value + payload
    if isinstance(value, list):
        return [poison(item, payload, key) for item in value]
    if isinstance(value, Mapping):
        if "key" in value and "value" in value:
            if value["key"] in KEPT_ATTRIBUTES:
                return value
            name = value["key"] + (payload if value["key"].startswith("cabtrace.plugins") else "")
            return {"key": name, "value": poison(value["value"], payload)}
        return {k: poison(item, payload, k) for k, item in value.items()}
    return value


def hostile_run(store: Path, payload: str) -> Path:
    """The sample run with a payload in every string of every file of it; not sealed again, so `verify` names the files."""
    run = build_sample_run(store)
    for file in sorted(run.rglob("*")):
        if file.suffix == ".json" and file.name != "manifest.json":
            file.write_text(json.dumps(poison(json.loads(file.read_bytes()), payload)), "utf-8")
        elif file.suffix == ".jsonl":
            lines = [json.dumps(poison(json.loads(line), payload)) for line in file.read_bytes().splitlines()]
            file.write_text("\n".join([*lines, ""]), "utf-8")
        elif file.suffix == ".cast":
            head, *events = file.read_bytes().splitlines()
            title = {**json.loads(head), "title": payload, "command": payload}
            shown = [[at, code, text + payload] for at, code, text in map(json.loads, events)]
            file.write_text("\n".join([json.dumps(title), *map(json.dumps, shown), ""]), "utf-8")
        elif file.suffix == ".patch":
            file.write_text(file.read_text("utf-8") + f"+{payload}\n", "utf-8", "surrogatepass")
    header = json.loads((run / "run.json").read_bytes())
    header |= {"warnings": [f"warned{payload}"], "cause_detail": f"why{payload}", "endpoint": f"http://x{payload}"}
    header["redactions"] = {f"rule{payload}": 3}
    header["completeness"]["lost"] = {"trace": 1, "first_error": f"broke{payload}"}
    header["sandbox"] |= {"left_open": [f"open{payload}"], "image": f"image{payload}"}
    (run / "run.json").write_text(json.dumps(header), "utf-8")
    return run


def storable(text: str) -> bool:
    """Lone surrogates cannot stand in a run: orjson reads none; they get a test of their own."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def drive(cabtrace: CommandLine, calls: list[list[str]], *, columns: int = 240) -> list[tuple[str, bytes]]:
    """(exit code, bytes on the terminal) of each call."""
    script = cabtrace.folder / "calls.jsonl"
    script.write_text("".join(json.dumps(call) + "\n" for call in calls), "ascii")
    done = on_terminal(
        [sys.executable, "-c", DRIVER, str(script)], cabtrace.environment(), cabtrace.folder, columns=columns, timeout_s=240
    )
    assert done.code == 0, done.out[-2_000:]
    parts = done.stdout.split(b"<<<")
    shown, results = parts[0], []
    for part in parts[1:]:
        code, _, rest = part.partition(b">>>\r\n")
        results.append((code.decode(), shown))
        shown = rest
    assert len(results) == len(calls)
    return results


def raw_payload_bytes(shown: bytes) -> set[str]:
    """Characters that must not reach a terminal from a record. Rich's own colours are taken out first, by their exact form."""
    text = shown.decode("utf-8").replace("\r\n", "\n")
    for style in ("0", "1", "2", "31", "32", "33", "36", "1;31", "1;32", "1;33", "1;36"):
        text = text.replace(f"\x1b[{style}m", "")
    return {c for c in text if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" or c in HIDDEN}


@pytest.fixture(scope="module")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, list[tuple[str, str, Path]]]:
    cabtrace = CommandLine(tmp_path_factory.mktemp("hostile"))
    runs = [(name, payload, hostile_run(cabtrace.store, payload)) for name, payload in payloads() if storable(payload)]
    return cabtrace, runs


def test_the_hostile_runs_are_hostile(hostile_store: tuple[CommandLine, list[tuple[str, str, Path]]]) -> None:
    _, runs = hostile_store

    assert len([payload for _, payload, _ in runs if payload in ESCAPES.values()]) >= 60
    for _, payload, path in runs:
        view = RunView(path)
        names = [span.name for span in view.spans()]
        values = [v for span in view.spans() for v in span.attributes.values() if isinstance(v, str)]
        assert view.header.task.id.endswith(payload)
        assert len(names) > 20
        assert all(name.endswith(payload) for name in names)
        assert any(payload in value for value in values)
        assert payload in "".join(event.data for event in view.terminal_events())
        assert view.patch().endswith(f"{payload}\n") or "\r" in payload


COMMANDS = {
    "show": (["show"], "0"),
    "show as JSON": (["show", "--json"], "0"),
    "replay": (["replay", "--plain"], "0"),
    "verify": (["verify"], "1"),
    "verify as JSON": (["verify", "--json"], "1"),
    "recover": (["recover"], "0"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_payload_gets_through_a_command(command: str, hostile_store: tuple[CommandLine, list[tuple[str, str, Path]]]) -> None:
    cabtrace, runs = hostile_store
    words, code = COMMANDS[command]

    results = drive(cabtrace, [[*words, str(path)] for _, _, path in runs])

    leaks = {name: raw_payload_bytes(shown) for (name, _, _), (_, shown) in zip(runs, results, strict=True)}
    assert {name: leak for name, leak in leaks.items() if leak} == {}
    assert [done for done, _ in results] == [code] * len(runs)
    assert not any(b"Traceback" in shown for _, shown in results)


@pytest.mark.parametrize("words", [["ls"], ["ls", "--failed"], ["ls", "--json"]])
@pytest.mark.parametrize("columns", [80, 2_000])
def test_no_payload_gets_through_the_list(
    words: list[str], columns: int, hostile_store: tuple[CommandLine, list[tuple[str, str, Path]]]
) -> None:
    cabtrace, runs = hostile_store

    [(code, shown)] = drive(cabtrace, [words], columns=columns)

    assert raw_payload_bytes(shown) == set()
    assert code == "0"
    if words == ["ls"]:
        assert len(shown.splitlines()) == len(runs) + 1  # no record can forge a line of its own


def test_markup_is_shown_as_it_is(hostile_store: tuple[CommandLine, list[tuple[str, str, Path]]]) -> None:
    cabtrace, runs = hostile_store
    marked = [(payload, path) for _, payload, path in runs if payload in MARKUP.values()]

    listed = drive(cabtrace, [["ls"]], columns=2_000)[0][1].decode()
    shown = drive(cabtrace, [["show", str(path)] for _, path in marked])

    for (payload, _), (_, text) in zip(marked, shown, strict=True):
        assert f"polyglot/rust-error-handling{payload}" in listed
        assert f"stepfun-ai/step-3.5-flash{payload}" in text.decode()


HOSTILE_CALLS = {
    "show": lambda payload: ["show", payload],
    "replay": lambda payload: ["replay", "--plain", payload],
    "verify": lambda payload: ["verify", f"./{payload}"],
    "task": lambda payload: ["run", "--task", payload, "--agent", "nop", "--sandbox", "local"],
    "agent": lambda payload: ["run", "--task", "task", "--agent", payload, "--sandbox", "local"],
    "sandbox": lambda payload: ["run", "--task", "task", "--agent", "nop", "--sandbox", payload],
    "endpoint": lambda payload: [
        "run",
        "--task",
        "task",
        "--agent",
        "reference",
        "--model",
        "m",
        "--sandbox",
        "local",
        "--endpoint",
        f"http://127.0.0.1:1/{payload}",
    ],
    "timeout": lambda payload: ["run", "--task", "task", "--agent", "nop", "--timeout", payload],
    "program": lambda payload: ["run", "--task", "task", "--agent", "command", "--sandbox", "local", "--", f"x{payload}"],
    "command": lambda payload: [f"x{payload}"],
    "option": lambda payload: ["ls", f"--x{payload}"],
    "script": lambda payload: ["model", "serve", payload],
    "shell": lambda payload: ["completion", payload],
}


@pytest.mark.parametrize("call", HOSTILE_CALLS)
def test_error_messages_repeat_no_payload(call: str, tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    make_task(tmp_path / "task")
    sayable = [(name, payload) for name, payload in payloads() if "\0" not in payload and storable(payload)]
    if call == "program":  # with a slash it may be a file of the task, so a cell is made of it
        sayable = [(name, payload.replace("/", "")) for name, payload in sayable]
    made = [(name, HOSTILE_CALLS[call](payload)) for name, payload in sayable]

    results = drive(cabtrace, [argv for _, argv in made])

    leaks = {name: raw_payload_bytes(shown) for (name, _), (_, shown) in zip(made, results, strict=True)}
    assert {name: leak for name, leak in leaks.items() if leak} == {}
    assert {code for code, _ in results} <= {"2", "3"}
    assert all(shown.count(b"\n") == 1 and shown.startswith(b"cabtrace: ") for _, shown in results)


BROKEN_TOML = {
    "key": 'schema_version = "1.0"\n["{}"]\nx = 1\n[agent]\ntimeout_sec = "{}"\n',
    "version": 'schema_version = "{}"\n',
    "id": 'schema_version = "1.0"\n[metadata.cabtrace]\nid = "a/../{}"\n',
    "system": 'schema_version = "1.0"\n[environment]\nos = "{}"\n',
    "unknown key of ours": 'schema_version = "1.0"\n[metadata.cabtrace]\nid = "a/b"\n"{}" = 1\nexpected_changes = "{}"\n',
}


def toml_string(text: str) -> str:
    return "".join(f"\\U{ord(c):08x}" for c in text)


@pytest.mark.parametrize("where", BROKEN_TOML)
def test_messages_about_a_hostile_task_repeat_no_payload(where: str, tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    calls = []
    for number, (_, payload) in enumerate(p for p in payloads() if storable(p[1])):
        task = make_task(tmp_path / f"task{number}")
        (task / "task.toml").write_text(BROKEN_TOML[where].replace("{}", toml_string(payload)), "ascii")
        calls.append(["run", "--task", str(task), "--agent", "nop", "--sandbox", "local"])

    results = drive(cabtrace, calls)

    assert {c for _, shown in results for c in raw_payload_bytes(shown)} == set()
    assert {code for code, _ in results} == {"2"}
    assert all(shown.count(b"\n") == 1 for _, shown in results)


def test_a_hostile_task_that_runs_tells_the_terminal_nothing(tmp_path: Path) -> None:
    """Live progress, the verdict, its detail and the notes, all from a task and a program that mean harm."""
    cabtrace = CommandLine(tmp_path)
    everything = "".join(payload for _, payload in payloads() if storable(payload) and "\0" not in payload)
    task = make_task(tmp_path / "task", instruction=f"Do this.{everything}", test_sh="echo broken; exit 127\n")
    printed = tmp_path / "agent.sh"
    printed.write_text(f"cat <<'END'\n{everything}\nEND\nexit 3\n", "utf-8")
    argv = [
        "run",
        "--task",
        str(task),
        "--agent",
        "command",
        "--sandbox",
        "local",
        "--sweep",
        everything[:60],
        "--model",
        everything[60:160],
        "--",
        "sh",
        str(printed),
    ]
    done: Done = on_terminal([sys.executable, "-m", "cabtrace", *argv], cabtrace.environment(), tmp_path)

    text = done.stdout
    for own in (b"\x1b[?25l", b"\x1b[?25h", b"\x1b[2K", b"\x1b[1A"):  # of the live progress
        text = text.replace(own, b"")
    shown = text.replace(b"\r", b"")
    assert done.code == 3, done.out
    assert raw_payload_bytes(shown) == set()
    assert "verifier_failed" in done.out
    [summary] = list_runs(cabtrace.store)
    assert summary.header is not None
    assert everything[:10] in "".join(e.data for e in RunView(summary.path).terminal_events())


def test_folders_with_hostile_names(tmp_path: Path) -> None:
    """A run that was moved below a folder with any name: what is printed of its path is harmless."""
    cabtrace = CommandLine(tmp_path)
    folders = []
    for number, (_, payload) in enumerate(payloads()):
        name = f"{number}{payload}".replace("/", "").replace("\0", "")
        try:
            folder = os.fsdecode(name.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            continue
        target = cabtrace.store / folder / "1"
        target.mkdir(parents=True)
        (target / "run.json").write_text("not JSON", "ascii")
        folders.append(str(target))

    results = drive(cabtrace, [["ls"], ["ls", "--json"], *[["verify", f] for f in folders]], columns=500)

    assert {c for _, shown in results for c in raw_payload_bytes(shown)} == set()
    assert [code for code, _ in results] == ["0", "0", *["2"] * len(folders)]
    assert len(results[0][1].splitlines()) == len(folders) + 1


def odd_values() -> Iterator[tuple[str, Any]]:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    yield from (
        ("text", "NaN"),
        ("list", [1]),
        ("mapping", {"a": 1}),
        ("null", None),
        ("true", True),
        ("huge", 10**18),
        ("beyond a float", 1.7e308),
        ("negative", -1e300),
        ("deep", deep),
    )


@pytest.mark.parametrize("name", [name for name, _ in odd_values()])
def test_odd_values_in_the_scores_break_no_list(name: str, tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    odd = dict(odd_values())[name]
    run = build_sample_run(cabtrace.store)
    header = json.loads((run / "run.json").read_bytes())
    header["scores"] = {axis: {"version": odd, "value": odd, "values": odd, "inputs": odd} for axis in header["scores"]}
    header["scores"]["tokens"] = {"values": {"total_tokens": odd}}
    if isinstance(odd, float) or odd is None:
        header["duration_s"] = odd
    (run / "run.json").write_text(json.dumps(header), "utf-8")
    build_sample_run(cabtrace.store)

    results = drive(cabtrace, [["ls"], ["ls", "--json"], ["show", str(run)], ["show", "--json", str(run)], ["verify", str(run)]])

    codes = [code for code, _ in results]
    assert codes[:4] in (["0"] * 4, ["0", "0", "2", "2"]), results[codes.index(next(c for c in codes if c not in "012"))][1][
        -300:
    ]
    assert results[0][1].count(b"polyglot") >= 1


ODD_LINES = {
    "trace.jsonl": (
        b"[]",
        b"{}",
        b'{"resourceSpans":5}',
        b'{"resourceSpans":[5]}',
        b'{"resourceSpans":[{"scopeSpans":[5]}]}',
        b'{"resourceSpans":[{"resource":5,"scopeSpans":[{"spans":[{}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"scope":5,"spans":[{"traceId":5,"spanId":5}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"b","startTimeUnixNano":"1e400"}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"c","startTimeUnixNano":"999999999999999999999999999999"}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"d","startTimeUnixNano":"-5","endTimeUnixNano":"-9"}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"e","parentSpanId":"e","status":5,"events":[5],"links":{}}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"f","parentSpanId":"f","name":{"a":[1]},"attributes":[5,{"key":5}]}]}]}]}',
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"9","attributes":[{"key":"k","value":'
        + b'{"arrayValue":{"values":[' * 330
        + b"{}"
        + b"]}}" * 330
        + b"}]}]}]}]}",
        b"\xff\xfe",
        b'"\\ud800"',
        b"null",
        b"1e400",
    ),
    "calls.jsonl": (
        b"[]",
        b"{}",
        b'{"call_id":5}',
        b'{"call_id":"00000000b0000001","type":"data","chunks":5,"text":5}',
        b'{"call_id":"',
        b'{"call_id":"x","type":"data","chunks":[[null,"a"],[1],5],"text":[]}',
        b'{"call_id":"x","type":"request","headers":5,"input_messages":[5,{"parts":5},{"parts":[5,{"type":5}]}],"tool_names":5}',
        b'{"call_id":"x","type":"response","headers":[],"output_messages":{"a":1},"status":"x"}',
    ),
    "terminal.cast": (
        b'[1e308,"o","x"]',
        b'[-1e308,"o","x"]',
        b'[true,"o","x"]',
        b'[1,5,"x"]',
        b'[1,"o"]',
        b'["1","o","x"]',
        b"{}",
        b"5",
        b'[1,"r","0x0"]',
        b'[1,"r","999999999x999999999"]',
        b'[1,"r","axb"]',
        b'[1,"r","' + b"9" * 5_000 + b'x1"]',
    ),
    "run.json": (),
    "artifacts/verifier.json": (
        b"[]",
        b"5",
        b'{"tests":5,"passed":"x","stdout_tail":[]}',
        b'{"tests":[5,{"name":5}],"exit_code":{}}',
    ),
    "artifacts/changes.json": (b"[]", b'{"added":5}', b'{"added":[5,null,{}],"removed":"x","modified":{"a":1},"notes":5}'),
    "manifest.json": (
        b"[]",
        b'{"files":5}',
        b'{"files":{"run.json":5,"trace.jsonl":{"sha256":5,"mib":5},"calls.jsonl":{"mib":[1,2]},"../x":{}}}',
    ),
}


@pytest.mark.parametrize("file", [name for name, lines in ODD_LINES.items() if lines])
def test_odd_lines_in_a_file_break_no_command(file: str, tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    calls = []
    for line in ODD_LINES[file]:
        run = build_sample_run(cabtrace.store)
        line = line.replace(b'"x","type"', f'"{RunView(run).calls()[0].call_id}","type"'.encode())
        target = run / file
        target.write_bytes(line if file.endswith(".json") else target.read_bytes() + line + b"\n")
        calls += [[*words, str(run)] for words in (["show"], ["show", "--json"], ["replay", "--plain"], ["verify"])]

    results = drive(cabtrace, calls)

    broken = {
        (call[0], ODD_LINES[file][number // 4][:80]): shown[-300:]
        for number, (call, (code, shown)) in enumerate(zip(calls, results, strict=True))
        if code not in ("0", "1")
    }
    assert broken == {}
