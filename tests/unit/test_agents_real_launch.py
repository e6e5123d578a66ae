"""How the adapters launch their CLIs: everything by environment and by files in the cell's own home."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import PurePosixPath

import pytest

from cabtrace.agents.registry import BUILT_IN, find_agent
from cabtrace.protocols import Launch, LaunchContext, SandboxPaths

AGENTS = ("copilot", "claude-code", "codex", "gemini", "opencode", "qwen", "aider", "mini-swe-agent")
TOKEN = "cbt-0123456789abcdef0123456789abcdef"
HOME = "/cell/home"
PROMPT = '-n "quoted" $HOME {model} é\nsecond line'
CONTEXT = LaunchContext(
    prompt=PROMPT,
    model="vendor/model-1",
    base_url="http://10.1.2.3:4567",
    token=TOKEN,
    paths=SandboxPaths("/cell/workdir", HOME, "/cell/tests", "/cell/logs", "/cell/solution"),
    timeout_s=60,
    sandbox="docker",
    argv=("--extra", "word"),
)
WITH_TELEMETRY = dataclasses.replace(
    CONTEXT,
    otlp_endpoint="http://10.1.2.3:4568/receiver-token",
    otlp_headers="x-cell=1",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    resource_attributes="cabtrace.cell.id=a/b",
)
TELEMETRY = ("claude-code", "codex", "copilot", "gemini", "opencode", "qwen")


def launch(agent: str, context: LaunchContext = CONTEXT) -> Launch:
    return find_agent(agent).launch(context)


def everything(made: Launch) -> str:
    files = [content.decode() for content in made.files.values()]
    return "\n".join([*made.argv, *made.env, *made.env.values(), *files])


@pytest.mark.parametrize("agent", AGENTS)
def test_it_is_built_in_and_says_what_it_is(agent: str) -> None:
    found = find_agent(agent)

    assert agent in BUILT_IN
    assert found.name == agent
    assert found.capabilities.transcript
    assert found.capabilities.telemetry == (agent in TELEMETRY)
    assert found.verified_version[0].isdigit()  # type: ignore[attr-defined]  # an optional member
    assert found.version_argv()[0] == found.executables()[0]  # type: ignore[attr-defined]
    assert all(not PurePosixPath(glob).is_absolute() for glob in found.transcript_globs())  # type: ignore[attr-defined]


@pytest.mark.parametrize("agent", AGENTS)
def test_the_prompt_arrives_unchanged_and_the_key_is_no_argument(agent: str) -> None:
    made = launch(agent)

    words = [word for word in made.argv if PROMPT in word]
    files = [content for content in made.files.values() if content == PROMPT.encode()]
    assert len(words) + len(files) == 1
    assert all(word == PROMPT or word.startswith("--") for word in words)
    assert not any(TOKEN in word for word in made.argv)
    assert not any(TOKEN.encode() in content for content in made.files.values())
    assert TOKEN in made.env.values()


@pytest.mark.parametrize("agent", AGENTS)
def test_the_users_own_arguments_are_in_it(agent: str) -> None:
    argv = launch(agent).argv

    place = argv.index("--extra")
    assert argv[place + 1] == "word"
    assert not any(word == "--" for word in argv[:place])


@pytest.mark.parametrize("agent", AGENTS)
def test_model_and_endpoint_are_told_and_nothing_of_this_machine(agent: str) -> None:
    made = launch(agent)

    told = everything(made)
    assert "http://10.1.2.3:4567" in told
    assert "vendor/model-1" in told
    folders = [value for value in made.env.values() if value.startswith("/")]
    assert all(folder.startswith(HOME) for folder in folders)
    assert all(not PurePosixPath(path).is_absolute() and ".." not in path for path in made.files)


@pytest.mark.parametrize("agent", AGENTS)
def test_without_a_receiver_there_is_no_telemetry(agent: str) -> None:
    made = launch(agent)

    assert not [name for name in made.env if "OTEL_EXPORTER" in name or "TELEMETRY_ENABLED" in name]
    assert "TRACEPARENT" not in made.env


@pytest.mark.parametrize("agent", TELEMETRY)
def test_with_a_receiver_telemetry_goes_there(agent: str) -> None:
    made = launch(agent, WITH_TELEMETRY)

    assert WITH_TELEMETRY.otlp_endpoint in everything(made)
    assert made.env["OTEL_RESOURCE_ATTRIBUTES"] == WITH_TELEMETRY.resource_attributes
    assert made.env["TRACEPARENT"] == WITH_TELEMETRY.traceparent


def test_codex_is_configured_by_its_file() -> None:
    config = tomllib.loads(launch("codex", WITH_TELEMETRY).files[".codex/config.toml"].decode())

    provider = config["model_providers"][config["model_provider"]]
    assert (config["model"], provider["base_url"]) == ("vendor/model-1", "http://10.1.2.3:4567/v1")
    assert provider["wire_api"] == "responses"
    assert config["otel"]["trace_exporter"]["otlp-http"] == {
        "endpoint": "http://10.1.2.3:4568/receiver-token/v1/traces",
        "protocol": "binary",
        "headers": {"x-cell": "1"},
    }
    assert tomllib.loads(launch("codex").files[".codex/config.toml"].decode())["otel"]["exporter"] == "none"


def test_a_model_name_may_hold_anything() -> None:
    context = dataclasses.replace(CONTEXT, model='a"b\\c\n[x]\nü')

    codex = tomllib.loads(launch("codex", context).files[".codex/config.toml"].decode())
    opencode = json.loads(launch("opencode", context).files[".config/opencode/opencode.json"])

    assert codex["model"] == context.model
    assert list(opencode["provider"]["cell"]["models"]) == [context.model]
