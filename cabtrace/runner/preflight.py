"""What can be known to be wrong before anything of a run is made: the endpoint, the key, the agent's own wishes."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from cabtrace.errors import AgentNotFoundError, EndpointError, UsageError
from cabtrace.protocols import LaunchContext, SandboxPaths

if TYPE_CHECKING:
    from cabtrace.runner.spec import CellSpec

_REFUSED = (401, 403)
_NOWHERE = SandboxPaths("/workdir", "/home", "/tests", "/logs", "/solution")


def check_launch(spec: CellSpec) -> None:
    """Asks the agent for a launch that is not made.

    Raises:
        UsageError: The agent cannot do what is asked of it.
        AgentNotFoundError: A program that it needs is not on this machine, and the sandbox is.
    """
    if spec.agent.name == "oracle" and spec.task.solution_dir is None:
        raise UsageError(f"The task {spec.task.id} has no solution/solve.sh.", hint="The agent `oracle` runs just that.")
    launch = spec.agent.launch(
        LaunchContext(
            prompt=spec.task.instruction,
            model=spec.model,
            base_url="http://127.0.0.1:1",
            token="",
            paths=_NOWHERE,
            timeout_s=spec.time_limit_s,
            sandbox=spec.sandbox,
            argv=spec.agent_argv,
        )
    )
    if spec.sandbox != "local":
        return
    program = launch.argv[0] if launch.argv else ""
    named = [program] if PurePath(program).is_absolute() or "/" not in program else []  # else it may come with the task
    for name in (*spec.agent.executables(), *named):
        if not shutil.which(name):
            where = "is no program that can be run" if "/" in name else "is not on PATH"
            raise AgentNotFoundError(f"--agent {spec.agent.name} needs {name!r}, which {where}.", hint="Install it first.")


def check_endpoint(endpoint: str, api_key: str, timeout_s: float = 10.0) -> None:
    """One GET of `/models`. An endpoint that does not know that path is fine. Raises EndpointError or UsageError."""
    url = _parse(endpoint)
    maker = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = maker(url.hostname or "", url.port, timeout=timeout_s)
    headers = {"Accept": "application/json"}
    if api_key:
        headers |= {"Authorization": f"Bearer {api_key}", "x-api-key": api_key, "x-goog-api-key": api_key}
    try:
        connection.request("GET", f"{url.path.rstrip('/')}/models", headers=headers)
        status = connection.getresponse().status
    except (OSError, ssl.SSLError, http.client.HTTPException) as error:
        raise EndpointError(
            f"The model endpoint {endpoint} cannot be reached ({_reason(error)}).", hint="Is it running, and is the URL right?"
        ) from error
    finally:
        connection.close()
    if status in _REFUSED:
        what = "refused the key" if api_key else "wants a key"
        raise EndpointError(
            f"The model endpoint {endpoint} {what} (HTTP {status}).",
            hint="Set CABTRACE_API_KEY (CAB_KEY for check and run-cell) to one that it takes.",
        )


def _parse(endpoint: str) -> SplitResult:
    if "@" in endpoint.partition("?")[0]:  # whatever else is wrong with it, it is not to be repeated
        raise UsageError(
            "--endpoint must be an http or https URL that holds no user and no key.",
            hint="Put the key into CABTRACE_API_KEY or OPENAI_API_KEY.",
        )
    try:
        url = urlsplit(endpoint)
        sound = url.scheme in ("http", "https") and url.hostname and url.port != 0
        (url.hostname or "").encode("idna")
    except ValueError:  # half an IPv6 address, a port beyond all ports, a name that is none
        sound = False
    if not sound or not endpoint.isprintable() or " " in endpoint:
        raise UsageError(f"--endpoint {endpoint!r} is no http or https URL.", hint="Example: http://127.0.0.1:8000/v1")
    return url


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "no such host"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
