"""The Docker sandbox. The SDK is imported in this package only, and this package only where it is used."""

from __future__ import annotations

from cabtrace.runner.sandbox.docker.box import DockerSandbox
from cabtrace.runner.sandbox.docker.engine import connect, engine_version
from cabtrace.runner.sandbox.docker.images import build_image

__all__ = ["DockerSandbox", "build_image", "connect", "engine_version"]
