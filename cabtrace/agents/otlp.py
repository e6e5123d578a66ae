"""Where an agent's own telemetry goes, in the environment variables that OpenTelemetry's SDKs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cabtrace.protocols import LaunchContext

# Batches wait five seconds by default: what a kill would lose.
_FLUSH_MS: Final = "500"


def otlp_environment(context: LaunchContext, *, protocol: str = "http/protobuf") -> dict[str, str]:
    """Endpoint, headers, resource attributes and parent; empty where the cell takes no telemetry."""
    if not context.otlp_endpoint:
        return {}
    values = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": context.otlp_endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_HEADERS": context.otlp_headers,
        "OTEL_RESOURCE_ATTRIBUTES": context.resource_attributes,
        "OTEL_BSP_SCHEDULE_DELAY": _FLUSH_MS,
        "OTEL_BLRP_SCHEDULE_DELAY": _FLUSH_MS,
        "TRACEPARENT": context.traceparent,
    }
    return {name: value for name, value in values.items() if value}
