"""What the proxy tells about the calls that pass through it. The proxy knows nothing of spans or files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A request of a known API, complete, as the agent sent it.

    `headers` have lower-case names and hold no credential and no cookie; `path` has its query, without `key`;
    `received_ns` is the monotonic clock when the request's headers were complete.
    """

    api: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    received_ns: int


class CallRecording(Protocol):
    """One call's record, from the moment its request is known. Calls come from the proxy's own thread, in order."""

    def response(self, status: int, headers: Mapping[str, str]) -> None:
        """The endpoint's status line and headers (lower-case names, no cookies) arrived."""

    def chunk(self, data: bytes) -> None:
        """A piece of the body as it went to the agent, still content-encoded, right after it was written there."""

    def end(self, error: str | None) -> None:
        """The call is over.

        `error` is None, `connect_error`, `upstream_reset`, `agent_disconnected`, `timeout` or `cancelled`.
        """


class CallSink(Protocol):
    """Where calls are recorded. A sink that raises never breaks a call."""

    def request(self, request: CallRequest) -> CallRecording:
        """A call begins; what is returned takes the rest of it."""

    def unrecorded(self, method: str, path: str) -> None:
        """A path of no known API was passed through."""

    def rejected(self, reason: str) -> None:
        """A request was refused: `bad_token`, `bad_host`, `bad_path`, `too_large`, `bad_request` or `timeout`."""
