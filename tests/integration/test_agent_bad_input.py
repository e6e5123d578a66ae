"""Agents and endpoints that are not what they should be: each cell ends, and its record says clearly why."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.errors import AgentNotFoundError, EndpointError
from cabtrace.limits import DEFAULT
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.cell import run_cell
from cabtrace.runner.preflight import check_endpoint, check_launch
from cabtrace.runner.spec import CellSpec
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import FAILING_TEST, PASSING_TEST, make_task
from tests.support.containers import IMAGE, require_engine
from tests.support.endpoints import ENDPOINTS, endpoint, error


def spec_of(folder: Path, agent: str, *argv: str, test_sh: str = FAILING_TEST, **more: Any) -> CellSpec:
    defaults: dict[str, Any] = {"sandbox": "local", "model": "m", "grace_s": 0.5, "timeout_s": 90.0}
    return CellSpec(
        task=load_task(make_task(folder / "task", test_sh=test_sh)),
        agent=find_agent(agent),
        store=folder / "store",
        scratch=folder / "scratch",
        agent_argv=argv,
        **{**defaults, **more},
    )


def ended(spec: CellSpec, cause: Cause, verdict: Verdict, sentence: str) -> RunView:
    result = run_cell(spec)
    run = RunView(result.path)
    header = run.header
    assert (header.status, header.cause, header.verdict) == ("finished", cause, verdict), header.cause_detail
    assert sentence in header.cause_detail
    assert "\n" not in header.cause_detail
    assert verify_run(result.path).problems == ()
    assert not list((spec.scratch).iterdir())
    return run


@pytest.mark.parametrize("which", ENDPOINTS)
def test_an_endpoint_that_answers_nothing_of_use(which: str, tmp_path: Path) -> None:
    answer, sentence = ENDPOINTS[which]
    with endpoint(answer) as url:
        run = ended(spec_of(tmp_path, "reference", endpoint=url), Cause.MODEL_FAILED, Verdict.ERROR, sentence)

    calls = run.calls()
    assert f"none of {len(calls)} model calls was answered: " in run.header.cause_detail
    assert all(call.error for call in calls)
    assert {call.http_status for call in calls} == {answer.status}


def test_a_storm_of_429_until_the_time_limit_is_the_endpoints_failure(tmp_path: Path) -> None:
    with endpoint(error(429, "Rate limit reached for m"), retry_after_s="5") as url:
        spec = spec_of(tmp_path, "reference", endpoint=url, timeout_s=3.0)
        run = ended(spec, Cause.MODEL_FAILED, Verdict.ERROR, "HTTP 429: Rate limit reached for m; the agent was stopped at its")

    assert run.header.timed_out


def test_a_key_that_is_refused_is_told_before_anything_is_made() -> None:
    with endpoint(error(401, "no")) as url, pytest.raises(EndpointError, match=r"refused the key \(HTTP 401\)") as caught:
        check_endpoint(url, "sk-wrong-key-of-mine")

    assert "sk-wrong" not in str(caught.value)


QUIET = "made none, or does not take its endpoint from where it is told"


def test_an_agent_that_heeds_no_base_url_is_told_of(tmp_path: Path) -> None:
    """It talks to some other address than it was given, in vain or not: nothing of that is seen."""
    with endpoint(error(500, "not asked")) as url:
        spec = spec_of(tmp_path, "command", "sh", "-c", "echo thinking; exit 0", endpoint=url)
        run = ended(spec, Cause.TESTS_FAILED, Verdict.FAILED, QUIET)
        broken = replace(spec, agent_argv=("sh", "-c", "exit 4"))
        ended(broken, Cause.AGENT_ERROR, Verdict.FAILED, "exit code 4; no model call came by way of the proxy")
        stuck = replace(spec, agent_argv=("sleep", "600"), timeout_s=1.0)
        ended(stuck, Cause.TIMEOUT, Verdict.FAILED, "time limit; no model call came by way of the proxy")

    assert run.header.completeness.model_calls == "unknown"
    assert run.header.scores["tokens"]["value"] is None
    assert any(QUIET in warning for warning in run.header.warnings)


def test_an_agent_that_passes_without_a_call_is_told_of_all_the_same(tmp_path: Path) -> None:
    with endpoint(error(500, "not asked")) as url:
        run = ended(spec_of(tmp_path, "command", "true", test_sh=PASSING_TEST, endpoint=url), Cause.PASSED, Verdict.PASSED, "")

    assert any(QUIET in warning for warning in run.header.warnings)


def test_an_agent_that_brings_a_key_of_its_own_is_told_of(tmp_path: Path) -> None:
    ask = "import http.client as h, sys; from urllib.parse import urlsplit as u; a = u(sys.argv[1]); "
    ask += "c = h.HTTPConnection(a.netloc); c.request('POST', '/v1/chat/completions', '{}', {'Authorization': 'Bearer mine'})"
    with endpoint(error(500, "not asked")) as url:
        spec = spec_of(tmp_path, "command", "python3", "-c", f"{ask}; c.getresponse()", "{base_url}", endpoint=url)
        ended(spec, Cause.TESTS_FAILED, Verdict.FAILED, "the proxy refused all 1 requests of the agent")


def fake(folder: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name, first on PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_program_that_is_missing_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(AgentNotFoundError, match="--agent codex needs 'codex', which is not on PATH"):
        check_launch(spec_of(tmp_path, "codex", endpoint="http://127.0.0.1:9/v1"))


def test_a_program_that_is_missing_by_then_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(tmp_path, "codex", endpoint="http://127.0.0.1:9/v1")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    ended(spec, Cause.SANDBOX_FAILED, Verdict.ERROR, "codex is not installed: no folder of PATH has it.")


@pytest.mark.docker
def test_an_image_without_the_program_is_on_record(tmp_path: Path) -> None:
    require_engine()
    spec = spec_of(tmp_path, "codex", endpoint="http://127.0.0.1:9/v1", sandbox="docker", image=IMAGE)

    ended(spec, Cause.SANDBOX_FAILED, Verdict.ERROR, f"The image {IMAGE} has no program 'codex'.")


@pytest.mark.parametrize(
    ("says", "version", "warning"),
    [
        ("echo codex-cli 9.9.9", "9.9.9", "codex 9.9.9 is not the version that the adapter was verified with ("),
        ("echo who knows", "", "the version of codex could not be learned; the adapter was verified with "),
        ("echo codex-cli 0.169.0; exit 1", "0.169.0", ""),
        ("exec sleep 600", "", "the version of codex could not be learned"),
    ],
    ids=["another", "none", "told and failed", "hangs"],
)
def test_another_version_is_recorded_and_told(
    says: str, version: str, warning: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "bin", "codex", f'case "$1" in --version) {says};; *) exit 2;; esac', monkeypatch)
    server = ModelServer([Script.model_validate({"schema_version": "1", "model": [{"name": "m"}]})], speed=0)
    server.start()
    try:
        run = ended(spec_of(tmp_path, "codex", endpoint=server.url), Cause.AGENT_ERROR, Verdict.FAILED, "exit code 2")
    finally:
        server.stop()

    assert run.header.agent.version == version
    told = [text for text in run.header.warnings if "version" in text]
    assert len(told) == bool(warning)
    assert all(text.startswith(warning) for text in told)


@pytest.mark.parametrize("char", ["x", "\\033", "\\377"], ids=["letters", "escapes", "no text"])
def test_an_agent_that_prints_without_end_is_cut_and_comes_to_its_end(char: str, tmp_path: Path) -> None:
    """A hundred times what is kept, faster than it can be written; a gigabyte takes the same way."""
    kept, printed = 200_000, 20_000_000
    script = f"head -c {printed} /dev/zero | tr '\\0' '{char}'; exit 3"
    spec = spec_of(tmp_path, "command", "sh", "-c", script, limits=replace(DEFAULT, terminal_bytes=kept))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    run = ended(spec, Cause.AGENT_ERROR, Verdict.FAILED, "the agent ended with exit code 3")

    cut = run.header.completeness.terminal_cut_bytes
    assert 0 <= kept - (printed - cut) <= (0 if char == "x" else kept)
    assert run.header.warnings == (f"the terminal's output was kept up to byte {printed - cut}; {cut} bytes after that were not",)
    assert (run.path / "terminal.cast").stat().st_size < 3.5 * kept
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB; the output is twenty megabytes


def test_an_agent_that_prints_until_the_time_limit_is_stopped(tmp_path: Path) -> None:
    limits = replace(DEFAULT, terminal_bytes=100_000)
    spec = spec_of(tmp_path, "command", "yes", timeout_s=2.0, limits=limits)

    run = ended(spec, Cause.TIMEOUT, Verdict.FAILED, "stopped at its time limit")

    assert run.header.completeness.terminal_cut_bytes > 0
