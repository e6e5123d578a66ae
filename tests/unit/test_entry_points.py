"""One mechanism for everything that other packages may bring."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from cabtrace.agents.registry import agent_names
from cabtrace.diagnose.registry import plugin_rules
from cabtrace.entry_points import Registry, plugins
from cabtrace.errors import NoSuchRunError, UsageError
from cabtrace.scoring.registry import plugin_axes
from exporters.registry import exporter_names, find_exporter

GROUPS = ("cabtrace.agents", "cabtrace.exporters", "cabtrace.axes", "cabtrace.rules")


@pytest.fixture(autouse=True)
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution of someone else with one thing of each kind."""
    (tmp_path / "their_things.py").write_text("class Thing:\n    name = 'thing'\n    version = '1'\n")
    info = tmp_path / "their_things-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-things\nVersion: 1.0\n")
    listed = "".join(f"[{group}]\nzeta = their_things:Thing\nalpha = their_things:Missing\n" for group in GROUPS)
    (info / "entry_points.txt").write_text(listed)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_things", raising=False)
    monkeypatch.delenv("CABTRACE_PLUGINS", raising=False)


@pytest.mark.parametrize("group", GROUPS)
def test_they_come_in_alphabetical_order_and_only_those_that_may(group: str) -> None:
    assert [name for name in plugins(group, {}) if name in ("alpha", "zeta")] == ["alpha", "zeta"]
    assert "zeta" not in plugins(group, {"CABTRACE_PLUGINS": " alpha,other"})


@pytest.mark.parametrize(
    "count", [plugin_axes, plugin_rules, agent_names, exporter_names], ids=["axes", "rules", "agents", "exporters"]
)
def test_every_kind_heeds_the_variable(count: Callable[[], Collection[object]], monkeypatch: pytest.MonkeyPatch) -> None:
    everything = len(count())
    monkeypatch.setenv("CABTRACE_PLUGINS", "zeta")
    some = len(count())
    monkeypatch.setenv("CABTRACE_PLUGINS", "")

    assert (everything - some, some - len(count())) == (1, 1)


def test_what_cannot_be_loaded_says_whose_it_is() -> None:
    with pytest.raises(UsageError, match="The export format 'alpha' of their-things cannot be loaded: AttributeError"):
        find_exporter("alpha", {})


def test_a_name_that_nothing_has() -> None:
    things: Registry[object] = Registry("cabtrace.things", "thing", {"one": "their_things:Thing"}, NoSuchRunError)

    assert type(things.find("one")).__name__ == "Thing"
    with pytest.raises(NoSuchRunError) as caught:
        things.find("ome")
    assert caught.value.what == "There is no thing named 'ome'."
    assert caught.value.hint == "Did you mean one? Known are: one."
