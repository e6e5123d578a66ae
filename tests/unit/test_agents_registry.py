from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cabtrace.agents.registry import BUILT_IN, agent_names, find_agent
from cabtrace.errors import UnknownAgentError, UsageError


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution of someone else, with a good agent, a broken one, and one that takes a name of ours."""
    (tmp_path / "their_agents.py").write_text(
        "class Agent:\n    name = 'zeta'\nclass Broken:\n    def __init__(self): raise OSError('x')\n"
    )
    info = tmp_path / "their_agents-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-agents\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cabtrace.agents]\nzeta = their_agents:Agent\nbroken = their_agents:Broken\n"
        "gone = their_agents:Missing\nreference = their_agents:Agent\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_agents", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_agents_are_always_there(name):
    agent = find_agent(name, {"CABTRACE_PLUGINS": ""})
    assert agent.name == name
    assert name in agent_names({"CABTRACE_PLUGINS": ""})


def test_an_agent_of_another_package_is_found(plugins):
    assert find_agent("zeta", {}).name == "zeta"
    assert [name for name in agent_names({}) if name in ("broken", "gone", "zeta")] == ["broken", "gone", "zeta"]


def test_nobody_takes_a_built_in_name(plugins):
    assert type(find_agent("reference", {})).__module__ == "cabtrace.agents.reference"


@pytest.mark.parametrize(("allowed", "found"), [("", False), ("other", False), ("other, zeta", True)])
def test_plugins_can_be_restricted(plugins, allowed, found):
    environ = {"CABTRACE_PLUGINS": allowed}
    assert ("zeta" in agent_names(environ)) is found
    if not found:
        with pytest.raises(UnknownAgentError):
            find_agent("zeta", environ)


@pytest.mark.parametrize("name", ["broken", "gone"])
def test_a_plugin_that_cannot_be_loaded_is_named(plugins, name):
    with pytest.raises(UsageError, match=f"'{name}' of their-agents cannot be loaded"):
        find_agent(name, {})


def test_an_unknown_agent_names_the_known_ones():
    with pytest.raises(UnknownAgentError) as caught:
        find_agent("referense", {"CABTRACE_PLUGINS": ""})
    assert "Did you mean reference?" in str(caught.value)
    assert all(name in caught.value.hint for name in BUILT_IN)
    assert caught.value.exit_code == 2
