"""Asks the model endpoint whether it is there and takes the key, before anything of a run is made."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

from cabtrace.errors import EndpointError, UsageError

_REFUSED = (401, 403)


def check_endpoint(endpoint: str, api_key: str, timeout_s: float = 10.0) -> None:
    """One GET of `/models`. An endpoint that does not know that path is fine. Raises EndpointError or UsageError."""
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise UsageError(f"--endpoint {endpoint!r} is no http or https URL.", hint="Example: http://127.0.0.1:8000/v1")
    if url.username or url.password:
        raise UsageError("--endpoint must not hold a key.", hint="Put it into CABTRACE_API_KEY or OPENAI_API_KEY.")
    maker = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = maker(url.hostname, url.port, timeout=timeout_s)
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
            f"The model endpoint {endpoint} {what} (HTTP {status}).", hint="Set CABTRACE_API_KEY to one that it takes."
        )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "no such host"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
