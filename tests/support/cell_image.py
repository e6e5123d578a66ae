"""An agent's image, built for the tests by the product itself: where none can be pulled, on what CI has made."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.runner.image import build, recipe

BRIDGE_HOST = "172.17.0.1"  # this machine, as containers on Docker's default network reach it
AGENTS_BASE = "cabtrace-test/agents:bookworm"
PLAIN_BASE = "cabtrace-test/base:bookworm"


def wheels() -> Path:
    """Where `.ci/image-wheels.sh` puts them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "cabtrace-ci" / "image-wheels"


def has_image(name: str) -> bool:
    try:
        return subprocess.run(["docker", "image", "inspect", name], capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:
        return False


def need_image(name: str) -> None:
    """Skips, or fails where CI demands it, without that image."""
    if not has_image(name):
        _missing(f"the image {name}")


def _missing(what: str) -> None:
    reason = f"{what} missing; `.ci/` has scripts that make them"
    if os.environ.get("CABTRACE_REQUIRE_DOCKER"):
        pytest.fail(reason)
    pytest.skip(reason)


def cell_image(agent: str = "reference", base: str = PLAIN_BASE) -> str:
    """The tag of an image that holds `agent` and this cabtrace; skips, or fails where CI demands it, without the parts."""
    need_image(base)
    if not any(wheels().glob("pip-*")):
        _missing(f"wheels in {wheels()}")
    return _built(agent, base)


@functools.cache
def _built(agent: str, base: str) -> str:
    made = recipe(find_agent(agent), base, f"cabtrace-test/{agent}:cell")
    build(made, wheels())
    # what had the tag before, when the code was another
    leftover = ["docker", "image", "prune", "--force", "--filter", "label=cabtrace.agent"]
    subprocess.run(leftover, capture_output=True, check=False, timeout=120)
    return made.tag
