"""Images with an agent's CLI and cabtrace in them, built from the templates of the package."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from cabtrace import __version__
from cabtrace.errors import UsageError
from cabtrace.runner.own_wheel import write_wheel

if TYPE_CHECKING:
    from cabtrace.protocols import Agent

_NODE: Final = "node:22-bookworm-slim"
_PYTHON: Final = "python:3.12-slim-bookworm"


@dataclass(frozen=True, slots=True)
class Packages:
    """How a CLI is installed: by what, and which packages; `{version}` is the one that the adapter was verified with."""

    manager: Literal["npm", "pip", "none"]
    names: tuple[str, ...] = ()
    program: str = ""


PACKAGES: Final = {
    "claude-code": Packages("npm", ("@anthropic-ai/claude-code@{version}",), "claude"),
    "codex": Packages("npm", ("@openai/codex@{version}",), "codex"),
    "copilot": Packages("npm", ("@github/copilot@{version}",), "copilot"),
    "gemini": Packages("npm", ("@google/gemini-cli@{version}",), "gemini"),
    "opencode": Packages("npm", ("opencode-ai@{version}",), "opencode"),
    "qwen": Packages("npm", ("@qwen-code/qwen-code@{version}",), "qwen"),
    "aider": Packages("pip", ("aider-chat=={version}",), "aider"),
    "mini-swe-agent": Packages("pip", ("mini-swe-agent=={version}", "mcp"), "mini-swe-agent"),
    "reference": Packages("none"),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that an image is made of."""

    agent: str
    version: str
    base: str
    tag: str
    packages: Packages

    @property
    def arguments(self) -> dict[str, str]:
        """The Dockerfile's."""
        return {
            "BASE": self.base,
            "AGENT": self.agent,
            "PROGRAM": self.packages.program or "cabtrace",
            "MANAGER": self.packages.manager,
            "PACKAGES": " ".join(name.format(version=self.version) for name in self.packages.names),
            "IMAGE": self.tag,
        }

    @property
    def labels(self) -> dict[str, str]:
        """On the image; the version is the one that was asked for, a base may bring another."""
        pinned = {"cabtrace.agent.pinned": self.version} if self.version else {}
        return {"cabtrace.agent": self.agent, "cabtrace.version": __version__, **pinned}


def recipe(agent: Agent, base: str = "", tag: str = "") -> Recipe:
    """What `cabtrace image build AGENT` makes. Raises UsageError for an agent that no package is known of."""
    packages = PACKAGES.get(agent.name)
    if packages is None:
        raise UsageError(
            f"It is not known how {agent.name!r} is installed.", hint=f"Images can be built of: {', '.join(sorted(PACKAGES))}."
        )
    version = str(getattr(agent, "verified_version", ""))
    usual = _NODE if packages.manager == "npm" else _PYTHON
    return Recipe(agent.name, version, base or usual, tag or f"cabtrace/{agent.name}:{version or __version__}", packages)


def build(made: Recipe, wheels: Path | None = None) -> str:
    """Builds it and returns its id. `wheels`: a folder with pip's wheel and those of all that cabtrace needs.

    Raises:
        SandboxError: No engine, or a step that failed.
        UsageError: `wheels` is no such folder.
    """
    from cabtrace.runner.sandbox.docker import build_image

    found = sorted(wheels.glob("*.whl")) if wheels else []
    if wheels and not any(wheel.name.startswith("pip-") for wheel in found):
        raise UsageError(
            f"{wheels} holds no wheel of pip.", hint="`pip download` fills it: with pip itself and what cabtrace depends on."
        )
    with tempfile.TemporaryDirectory(prefix="cabtrace-image-") as name:
        context = Path(name)
        (context / "wheels").mkdir()
        for template in ("Dockerfile", "install.sh"):
            (context / template).write_bytes(files("cabtrace").joinpath("images", template).read_bytes())
        for wheel in found:
            if not wheel.name.startswith("cabtrace-"):
                shutil.copyfile(wheel, context / "wheels" / wheel.name)
        write_wheel(context / "wheels")
        return build_image(context, made.tag, arguments=made.arguments, labels=made.labels)
