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

NODE_VERSION: Final = "22.20.0"  # for bases without npm; what the newest of the CLIs asks for is 22
_NODE: Final = "node:22-bookworm-slim"
_PYTHON: Final = "python:3.12-slim-bookworm"
_HINTS: Final = {  # what apt, pip and npm say where no way leads to an index
    "CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY|certificate verification failed": (
        "Something on the way opens TLS: name its certificate with --ca FILE."
    ),
    "Temporary failure|EAI_AGAIN|ENOTFOUND|Name or service not known|Network is unreachable|Could not connect to": (
        "No package index can be reached: --network NAME gives the steps another network, --wheels DIR spares cabtrace's index."
    ),
}


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
    "mini-swe-agent": Packages("pip", ("mini-swe-agent=={version}", "mcp==2.3.0"), "mini-swe-agent"),
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
    check: tuple[str, ...] = ()  # prints the version

    @property
    def arguments(self) -> dict[str, str]:
        """The Dockerfile's."""
        return {
            "BASE": self.base,
            "AGENT": self.agent,
            "PROGRAM": self.packages.program or "cabtrace",
            "MANAGER": self.packages.manager,
            "NODE": NODE_VERSION,
            "VERSION": self.version,
            "CHECK": " ".join(self.check),
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
    check: tuple[str, ...] = getattr(agent, "version_argv", tuple)()
    usual = _NODE if packages.manager == "npm" else _PYTHON
    return Recipe(agent.name, version, base or usual, tag or f"cabtrace/{agent.name}:{version or __version__}", packages, check)


def build(made: Recipe, wheels: Path | None = None, *, network: str = "", ca_file: Path | None = None) -> str:
    """Builds it and returns its id.

    Args:
        made: What to build.
        wheels: A folder with pip's wheel and those of all that cabtrace needs.
        network: Which of the engine's networks the steps have; its usual one where "".
        ca_file: Certificates in PEM that npm, pip and apt trust while the image is built, beside those of the base.

    Raises:
        SandboxError: No engine, or a step that failed.
        UsageError: `wheels` or `ca_file` is no such thing.
    """
    from cabtrace.runner.sandbox.docker import build_image

    certificates = _certificates(ca_file) if ca_file else b""

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
        if certificates:
            (context / "wheels" / "ca.pem").write_bytes(certificates)
        return build_image(context, made.tag, arguments=made.arguments, labels=made.labels, network=network, hints=_HINTS)


def _certificates(path: Path) -> bytes:
    import ssl

    try:
        data = path.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError):
        raise UsageError(f"{path} holds no certificate in PEM.", hint="--ca wants what `openssl x509` can read.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    return data
