"""Every cap in one place. What a cap cuts is counted and shown; nothing is dropped silently."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of recording and reading. Sizes are bytes unless the name says otherwise."""

    # recording: OpenTelemetry (its own default of 128 drops the oldest, i.e. identity, first)
    span_attributes: int = 4_096
    span_events: int = 65_536
    span_links: int = 4_096
    attribute_value_bytes: int = MIB
    attribute_depth: int = 16  # nesting; OTLP receivers break at 32
    # recording: model calls
    request_header_bytes: int = 64 * KIB
    request_body_bytes: int = 50 * MIB
    recorded_body_bytes: int = 64 * MIB  # of one call; the bytes to the agent are never cut
    call_flush_interval_s: float = 0.25
    call_flush_bytes: int = 64 * KIB
    # recording: the agent's own telemetry
    telemetry_request_bytes: int = 64 * MIB  # of one export, decoded
    telemetry_bytes: int = 1024 * MIB  # of one run, decoded
    # recording the terminal
    terminal_bytes: int = 512 * MIB  # as they are written: a control character takes six
    # recording the workspace
    workspace_bytes: int = 2 * 1024 * MIB
    workspace_files: int = 200_000
    patch_bytes: int = 64 * MIB
    # reading
    line_bytes: int = 8 * MIB
    json_depth: int = 64
    preview_chars: int = 64 * KIB
    # the agent's own transcript
    artifact_bytes: int = 256 * MIB  # all of it
    artifact_file_bytes: int = 64 * MIB
    artifact_files: int = 1_000
    # verifier
    output_tail_bytes: int = 4 * KIB


DEFAULT = Limits()
