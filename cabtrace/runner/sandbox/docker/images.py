"""Images: found here, pulled when asked for, or built from a task's Dockerfile; always run by their id."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docker.errors import BuildError, ImageNotFound

from cabtrace.errors import SandboxError
from cabtrace.runner.sandbox.docker.engine import connect, engine_errors

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

TASK_LABEL: Final = "cabtrace.task"
_LINES_SHOWN: Final = 3
_COMMAND_CHARS: Final = 80
_COMMAND: Final = re.compile(r"(?<=The command )'.*'(?= returned)", re.DOTALL)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


def find_image(client: DockerClient, name: str, *, pull: bool = False) -> Image:
    """The image of that name, digest or id. Raises SandboxError with what to do where it is not here."""
    if not name.strip():
        raise SandboxError("No image is named.", hint="Give one with --image, or in the task's [environment] docker_image.")
    with engine_errors(f"look for the image {name}"):
        try:
            return client.images.get(name)
        except ImageNotFound:
            if not pull:
                raise SandboxError(
                    f"The image {name} is not here.",
                    hint=f"Fetch it with `docker pull {name}`, or use --sandbox local, which isolates nothing.",
                ) from None
    with engine_errors(f"pull the image {name}"):
        return client.images.pull(name)


def digest_of(image: Image) -> str:
    """`sha256:...`: the registry's digest where there is one, so that others can fetch the same; else the image's id."""
    for reference in repo_digests(image):
        return reference.partition("@")[2]
    return str(image.id)


def repo_digests(image: Image) -> list[str]:
    """Registry references by digest."""
    return [str(reference) for reference in image.attrs.get("RepoDigests") or [] if "@sha256:" in str(reference)]


def image_config(image: Image) -> Mapping[str, Any]:
    """USER, ENV and the like, as the image says."""
    config: Mapping[str, Any] = image.attrs.get("Config") or {}
    return config


def image_path(image: Image) -> str:
    """The image's PATH; "" where it sets none."""
    for entry in image_config(image).get("Env") or []:
        name, _, value = str(entry).partition("=")
        if name == "PATH":
            return value
    return ""


def build_image(
    context: Path,
    tag: str,
    *,
    task: str = "",
    dockerfile: str = "Dockerfile",
    arguments: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    network: str = "",
    hints: Mapping[str, str] | None = None,
    client_factory: Callable[[], DockerClient] | None = None,
) -> str:
    """Builds an image and returns its id. The engine's own cache makes a second call quick.

    Args:
        context: The folder that holds the Dockerfile.
        tag: The name of the image.
        task: The task's id, put on the image as a label.
        dockerfile: The file's name in `context`.
        arguments: Of the build.
        labels: Put on the image in place of the task's.
        network: Which of the engine's networks the steps have (`host`, `none`, ...); its usual one where "".
        hints: What to do (the values) where a step that failed says something that a regular expression (the keys) finds.
        client_factory: Makes the client; the environment's engine where None.

    Raises:
        SandboxError: No Dockerfile, no engine, or a step that failed, with the end of its output.
    """
    if not (context / dockerfile).is_file():
        raise SandboxError(f"There is no {dockerfile} in {context}.")
    client = connect(client_factory)
    try:
        with engine_errors(f"build the image {tag} from {context}"):
            image, _ = client.images.build(
                path=str(context),
                dockerfile=dockerfile,
                tag=tag,
                buildargs=dict(arguments or {}),
                labels=dict({TASK_LABEL: task} if labels is None else labels),
                network_mode=network or None,
                rm=True,
                forcerm=True,
            )
            return str(image.id)
    except SandboxError as error:
        if isinstance(error.__cause__, BuildError):
            log = _log_lines(error.__cause__)
            hint = next((said for sign, said in (hints or {}).items() if any(re.search(sign, line) for line in log)), "")
            why = _last_words(log, str(error.__cause__.msg))
            raise SandboxError(f"The image {tag} cannot be built: {why}.", hint=hint) from error
        raise
    finally:
        client.close()


def _last_words(log: Sequence[str], message: str) -> str:
    said = " | ".join(log[-_LINES_SHOWN:])
    return " ".join(f"{_COMMAND.sub(_shortened, message)}{f' ({said})' if said else ''}".split()).rstrip(".")[:800]


def _shortened(found: re.Match[str]) -> str:
    return found[0] if len(found[0]) <= _COMMAND_CHARS else f"{found[0][:_COMMAND_CHARS]} …'"


def _log_lines(error: BuildError) -> list[str]:
    """What the steps said, without colours and without what the engine says of itself."""
    text = "".join(str(entry.get("stream", "")) for entry in error.build_log if isinstance(entry, dict))
    lines = [line.strip() for line in _COLOUR.sub("", text).splitlines()]
    return [line for line in lines if line and not line.startswith(("Removing intermediate container", "---> "))]
