"""The target of a job of the outbox: as it was, with the headers of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cabtrace.errors import UsageError
from exporters.otlp.outbox import Job
from exporters.otlp.settings import Target, resolve


def target_of(job: Job, environ: Mapping[str, str]) -> Target:
    """Raises UsageError where headers that the job was made with are not set now: their values are never stored."""
    now = resolve(environ, protocol=job.protocol, endpoint=None if job.protocol == "grpc" else job.endpoint)
    missing = [name for name in job.header_names if name not in now.headers]
    if missing:
        raise UsageError(
            f"It was sent with the headers {', '.join(missing)}, whose values are not kept.",
            hint="Set OTEL_EXPORTER_OTLP_HEADERS and resume again.",
        )
    return replace(
        now,
        endpoint=job.endpoint,
        secure=job.secure,
        compression=job.compression,
        certificate=job.certificate,
        client_certificate=job.client_certificate,
        client_key=job.client_key,
    )
