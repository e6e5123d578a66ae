"""A sink that cannot harm the call it records."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cabtrace.runner.proxy.sink import CallRecording, CallRequest, CallSink


class GuardedSink:
    """Passes everything on to a sink and counts what that sink raised."""

    def __init__(self, sink: CallSink) -> None:
        self._sink = sink
        self.errors = 0

    def request(self, request: CallRequest) -> GuardedRecording:
        """Begins a call; without a recording of the sink's own, the rest of the call is not recorded."""
        try:
            recording = self._sink.request(request)
        except Exception:  # noqa: BLE001 - whatever the recorder does, the agent's call goes on
            self.errors += 1
            return GuardedRecording(None, self._count)
        return GuardedRecording(recording, self._count)

    def unrecorded(self, method: str, path: str) -> None:
        """See `CallSink`."""
        try:
            self._sink.unrecorded(method, path)
        except Exception:  # noqa: BLE001 - as above
            self.errors += 1

    def rejected(self, reason: str) -> None:
        """See `CallSink`."""
        try:
            self._sink.rejected(reason)
        except Exception:  # noqa: BLE001 - as above
            self.errors += 1

    def _count(self) -> None:
        self.errors += 1


class GuardedRecording:
    """A recording that never raises and ends once."""

    def __init__(self, recording: CallRecording | None, failed: Callable[[], None]) -> None:
        self._recording = recording
        self._failed = failed

    @classmethod
    def absent(cls) -> GuardedRecording:
        """A recording that keeps nothing."""
        return cls(None, lambda: None)

    def response(self, status: int, headers: Mapping[str, str]) -> None:
        """See `CallRecording`."""
        if self._recording is not None:
            try:
                self._recording.response(status, headers)
            except Exception:  # noqa: BLE001 - as above
                self._failed()

    def chunk(self, data: bytes) -> None:
        """See `CallRecording`."""
        if self._recording is not None:
            try:
                self._recording.chunk(data)
            except Exception:  # noqa: BLE001 - as above
                self._failed()

    def end(self, error: str | None) -> None:
        """See `CallRecording`; what comes after the first end is ignored."""
        recording, self._recording = self._recording, None
        if recording is not None:
            try:
                recording.end(error)
            except Exception:  # noqa: BLE001 - as above
                self._failed()
