"""A stack of plugins over an agent's own launch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cabtrace.agents.plugins import Plugin, apply_plugins, load_plugins
from cabtrace.agents.registry import find_agent
from cabtrace.errors import UsageError
from cabtrace.examples import example_task
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import CellSpec
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView
from tests.unit.test_agents_real_launch import CONTEXT, HOME


def applied(agent: str, *stack: Plugin, **environ: str):
    return apply_plugins(find_agent(agent), CONTEXT, stack, environ)


def test_no_plugin_is_factory() -> None:
    found = applied("codex")

    assert (found.behavior_mode, found.applied, found.skipped) == ("factory", (), ())
    assert found.launch == find_agent("codex").launch(CONTEXT)


def test_keys_arguments_and_files_are_added() -> None:
    plugin = Plugin(
        "docs",
        env={"MCP_TIMEOUT": "9"},
        env_from=("DOCS_KEY",),
        argv=("--mcp-config", "{home}/docs.json"),
        files={"docs.json": b'{"root": "{workdir}"}'},
    )

    found = applied("claude-code", plugin, DOCS_KEY="value-of-here")

    launch = found.launch
    assert (found.behavior_mode, found.applied) == ("modified", ("docs",))
    assert (launch.env["MCP_TIMEOUT"], launch.env["DOCS_KEY"]) == ("9", "value-of-here")
    place = launch.argv.index("--mcp-config")
    assert launch.argv[place - 2 : place + 2] == ("--extra", "word", "--mcp-config", f"{HOME}/docs.json")
    assert launch.argv[-1] == CONTEXT.prompt
    assert launch.files["docs.json"] == b'{"root": "/cell/workdir"}'


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Plugin("p", agents=("codex", "gemini")), "it is for codex, gemini"),
        (Plugin("p", env_from=("NOWHERE",)), "NOWHERE is not set on this machine"),
        (
            Plugin("p", env={"ANTHROPIC_BASE_URL": "http://elsewhere"}),
            "it would set ANTHROPIC_BASE_URL, which the adapter itself sets",
        ),
    ],
)
def test_what_does_not_fit_is_skipped_with_the_reason(plugin: Plugin, reason: str) -> None:
    found = applied("claude-code", plugin)

    assert found.skipped == (("p", reason),)
    assert found.behavior_mode == "factory"
    assert found.launch == find_agent("claude-code").launch(CONTEXT)


def test_json_files_are_merged_as_long_as_the_adapters_words_stand() -> None:
    server = Plugin("server", files={".gemini/settings.json": b'{"mcpServers": {"docs": {"command": "docs"}}}'})
    other = Plugin("login", files={".gemini/settings.json": b'{"security": {"auth": {"selectedType": "oauth"}}}'})

    found = applied("gemini", server, other)

    settings = json.loads(found.launch.files[".gemini/settings.json"])
    assert settings["mcpServers"] == {"docs": {"command": "docs"}}
    assert settings["security"]["auth"]["selectedType"] == "gemini-api-key"
    assert found.applied == ("server",)
    assert found.skipped == (("login", "it would replace .gemini/settings.json, which the adapter itself writes"),)


def test_a_file_of_codex_is_its_adapters() -> None:
    found = applied("codex", Plugin("p", files={".codex/config.toml": b"model = 'other'"}))

    assert found.skipped == (("p", "it would replace .codex/config.toml, which the adapter itself writes"),)


def test_the_last_of_two_plugins_has_the_last_word() -> None:
    found = applied("codex", Plugin("a", env={"X": "1"}, files={"f": b"a"}), Plugin("b", env={"X": "2"}, files={"f": b"b"}))

    assert (found.launch.env["X"], found.launch.files["f"], found.applied) == ("2", b"b", ("a", "b"))


def test_a_file_of_plugins_is_read(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    path = tmp_path / "plugins.toml"
    path.write_text(
        'schema_version = "1"\n'
        '[[plugin]]\nname = "docs"\nagents = ["claude-code"]\nenv_from = ["DOCS_KEY"]\n'
        'argv = ["--mcp-config", "{home}/mcp.json"]\n'
        '[plugin.env]\nMCP_TIMEOUT = "9"\n[[plugin.file]]\npath = "mcp.json"\nsource = "mcp.json"\n'
        '[[plugin]]\nname = "quiet"\n[[plugin.file]]\npath = "a/b"\ncontent = "x"\n'
    )

    assert load_plugins(path) == (
        Plugin(
            "docs",
            agents=("claude-code",),
            env={"MCP_TIMEOUT": "9"},
            env_from=("DOCS_KEY",),
            argv=("--mcp-config", "{home}/mcp.json"),
            files={"mcp.json": b'{"mcpServers": {}}'},
        ),
        Plugin("quiet", files={"a/b": b"x"}),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[plugin]", "not valid TOML"),
        ('schema_version = "1"', "plugin: Field required"),
        ('schema_version = "2"\n[[plugin]]\nname = "a"', "schema_version"),
        ('schema_version = "1"\n[[plugin]]\nname = "a/b"', "plugin[0].name"),
        ('schema_version = "1"\n[[plugin]]\nname = "a"\nenvironment = {}', "plugin[0].environment"),
        ('schema_version = "1"\n[[plugin]]\nname = "a"\nenv = { "A B" = "1" }', "plugin[0].env"),
        ('schema_version = "1"\n[[plugin]]\nname = "a"\n[[plugin.file]]\npath = "../x"\ncontent = ""', "below the agent's home"),
        ('schema_version = "1"\n[[plugin]]\nname = "a"\n[[plugin.file]]\npath = "x"', "exactly one of content and source"),
        ('schema_version = "1"\n[[plugin]]\nname = "a"\n[[plugin.file]]\npath = "x"\nsource = "gone"', "which cannot be read"),
    ],
)
def test_a_wrong_file_is_told_with_its_key(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "plugins.toml"
    path.write_text(text)

    with pytest.raises(UsageError) as failure:
        load_plugins(path)

    assert told in str(failure.value)
    assert str(path) in str(failure.value)


def test_a_cell_says_what_was_applied_and_what_was_not(tmp_path: Path) -> None:
    stack = (
        Plugin("greeting", env={"GREETING": "hello"}, argv=("{home}/say.sh",), files={"say.sh": b'echo "$GREETING"'}),
        Plugin("other", agents=("codex",)),
    )
    spec = CellSpec(
        task=load_task(example_task("smoke/hello-file")),
        agent=find_agent("command"),
        model="",
        store=tmp_path / "store",
        scratch=tmp_path / "scratch",
        sandbox="local",
        agent_argv=("sh",),
        plugins=stack,
    )

    result = run_cell(spec)

    run = RunView(result.path)
    spans = {span.name: span for span in run.spans()}
    assert run.terminal_text() == "hello\n"
    assert (result.header.agent.plugins, result.header.agent.behavior_mode) == (("greeting",), "modified")
    assert spans["prepare:smoke/hello-file"].attributes["cabtrace.plugin_stack"] == ("greeting", "other")
    assert spans["prepare:smoke/hello-file"].attributes["cabtrace.behavior_mode"] == "modified"
    applied_span = spans["applied_plugins"].attributes
    assert applied_span["cabtrace.plugins.applied"] == ("greeting",)
    assert applied_span["cabtrace.plugins.skipped"] == ("other: it is for codex",)
    assert (applied_span["cabtrace.plugins.count"], applied_span["cabtrace.plugins.skipped_count"]) == (2, 1)
    assert "GREETING" in applied_span["cabtrace.env_keys"]
