"""The engine: connecting to it, its errors as sentences, and what of ours is on it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import docker
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import ReadTimeout, RequestException

from cabtrace.errors import SandboxError
from cabtrace.runner.sandbox.docker.door import EngineSite
from cabtrace.runner.sandbox.owner import OWNER_LABEL, RUN_LABEL

if TYPE_CHECKING:
    from docker import DockerClient

_TIMEOUT_S: Final = 60
_DEFAULT_URL: Final = "unix:///var/run/docker.sock"
_HTTP_CONFLICT: Final = 409
_LOCAL_HINT: Final = "or use --sandbox local, which isolates nothing."


def connect(client_factory: Callable[[], DockerClient] | None = None) -> DockerClient:
    """A client of the engine that the environment names (DOCKER_HOST, ...). Raises SandboxError where none answers."""
    with engine_errors("reach the Docker engine"):
        client = client_factory() if client_factory else docker.from_env(timeout=_TIMEOUT_S)
        client.ping()
        return client


def engine_version() -> str:
    """The engine's version. Raises SandboxError where none answers."""
    client = connect()
    try:
        with engine_errors("ask the Docker engine for its version"):
            return str(client.version().get("Version", ""))
    finally:
        client.close()


def engine_site(client: DockerClient) -> EngineSite:
    """Where that engine is."""
    with engine_errors("ask the Docker engine what it is"):
        info = client.info()
    options = info.get("SecurityOptions") or []
    return EngineSite(
        url=_url(),
        system=str(info.get("OperatingSystem", "")),
        rootless=any("rootless" in str(option) for option in options),
        platform=sys.platform,
    )


@contextlib.contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turns whatever goes wrong with the engine into one sentence. `doing` completes "Could not ...".

    Raises:
        SandboxError: Always, for an error of the engine, of the connection to it or of the SDK.
    """
    try:
        yield
    except SandboxError:
        raise
    except APIError as error:
        raise SandboxError(f"Could not {doing}: {_one_line(error.explanation or error)}.", hint=_api_hint(error)) from error
    except ReadTimeout as error:
        raise SandboxError(f"Could not {doing}: the engine did not answer within {_TIMEOUT_S} s.") from error
    except (DockerException, RequestException, OSError) as error:
        raise _unreachable(doing, error) from error


def gone(error: Exception) -> bool:
    """Whether the engine says that the thing is not there, or not running any more."""
    return isinstance(error, NotFound) or (isinstance(error, APIError) and error.status_code == _HTTP_CONFLICT)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A container or network that carries our labels."""

    kind: Literal["container", "network"]
    id: str
    name: str
    run_id: str
    owner: str


def labelled(client: DockerClient, run_id: str = "") -> list[Labelled]:
    """All of ours on the engine, or those of one run; containers first, since they hold on to networks."""
    wanted: dict[str, Any] = {"label": [f"{RUN_LABEL}={run_id}" if run_id else RUN_LABEL]}
    with engine_errors("list containers and networks"):
        containers = client.api.containers(all=True, filters=wanted)
        networks = client.api.networks(filters=wanted)
    found: list[Labelled] = []
    for item in containers:
        labels = item.get("Labels") or {}
        name = (item.get("Names") or [item["Id"][:12]])[0].lstrip("/")
        found.append(Labelled("container", item["Id"], name, labels.get(RUN_LABEL, ""), labels.get(OWNER_LABEL, "")))
    for item in networks:
        labels = item.get("Labels") or {}
        found.append(Labelled("network", item["Id"], item["Name"], labels.get(RUN_LABEL, ""), labels.get(OWNER_LABEL, "")))
    return found


def remove_labelled(client: DockerClient, item: Labelled) -> bool:
    """Removes it by force, volumes included; False where it was gone already. Raises SandboxError."""
    with engine_errors(f"remove the {item.kind} {item.name}"):
        try:
            if item.kind == "container":
                client.api.remove_container(item.id, v=True, force=True)
            else:
                client.api.remove_network(item.id)
        except NotFound:
            return False
        except APIError as error:
            if "already in progress" in str(error.explanation):
                return False
            raise
    return True


def _url() -> str:
    return os.environ.get("DOCKER_HOST") or _DEFAULT_URL


def _unreachable(doing: str, error: BaseException) -> SandboxError:
    cause = _system_error(error)
    if cause is not None and cause.errno in (errno.EACCES, errno.EPERM):
        return SandboxError(
            f"You may not use the Docker engine at {_url()}.", hint=f"Join the group `docker` and log in again, {_LOCAL_HINT}"
        )
    if cause is not None:
        reason = f" ({cause.strerror})" if cause.strerror else ""
        return SandboxError(
            f"No Docker engine answers at {_url()}{reason}.", hint=f"Start Docker or correct DOCKER_HOST, {_LOCAL_HINT}"
        )
    return SandboxError(f"Could not {doing} at {_url()}: {_one_line(error)}.", hint=f"Start Docker, {_LOCAL_HINT}")


def _system_error(error: BaseException) -> OSError | None:
    """The system's own error, wherever requests, urllib3 and docker-py have buried it."""
    queue: list[Any] = [error]
    seen: set[int] = set()
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, OSError) and current.errno:
            return current
        queue += [*current.args, current.__cause__, current.__context__, getattr(current, "reason", None)]
    return None


def _api_hint(error: APIError) -> str:
    text = str(error.explanation).lower()
    if "address pool" in text:
        return "Too many networks: `cabtrace gc` removes what killed runs left."
    if "no space left" in text:
        return "The engine's disk is full: `docker system df` says with what."
    if "invalid reference format" in text:
        return "An image name looks like `debian:12`, or ends in `@sha256:` and 64 digits."
    return ""


def _one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")[:400]
