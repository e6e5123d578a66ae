"""What is pinned in several places is pinned to the same."""

from __future__ import annotations

import json
from pathlib import Path

from cabtrace.agents.registry import find_agent
from cabtrace.runner.image import PACKAGES, recipe

CI = Path(__file__).parents[2] / ".ci"


def test_images_and_ci_install_the_same_versions() -> None:
    npm = json.loads((CI / "agents/package.json").read_text("utf-8"))["dependencies"]
    pinned = {f"{name}@{version}" for name, version in npm.items()}
    for requirements in (CI / "agents").glob("requirements-*.txt"):
        pinned |= set(requirements.read_text("utf-8").split())
    installed = {word for name in PACKAGES for word in recipe(find_agent(name)).arguments["PACKAGES"].split()}

    assert installed
    assert installed <= pinned
