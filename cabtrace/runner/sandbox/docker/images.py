"""Images: found here, pulled when asked for, or built from a task's Dockerfile; always run by their id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docker.errors import BuildError, ImageNotFound

from cabtrace.errors import SandboxError
from cabtrace.runner.sandbox.docker.engine import connect, engine_errors

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

TASK_LABEL: Final = "cabtrace.task"


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
                rm=True,
                forcerm=True,
            )
            return str(image.id)
    except SandboxError as error:
        if isinstance(error.__cause__, BuildError):
            raise SandboxError(f"The image {tag} cannot be built: {_last_words(error.__cause__)}.") from error
        raise
    finally:
        client.close()


def _last_words(error: BuildError) -> str:
    lines = [str(entry.get("stream", "")).strip() for entry in error.build_log if isinstance(entry, dict)]
    said = " | ".join([line for line in lines if line][-3:])
    return " ".join(f"{error.msg} ({said})".split()).rstrip(".")[:800]
