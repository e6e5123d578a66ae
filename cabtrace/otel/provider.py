"""Makes a TracerProvider of its own: explicit limits, no globals, every span kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from cabtrace import __version__
from cabtrace.errors import UsageError
from cabtrace.limits import DEFAULT, Limits
from cabtrace.model import semconv as sc
from cabtrace.otel.live import live_exporter
from cabtrace.otel.processor import StoreSpanProcessor

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from cabtrace.otel.sink import SpanSink
    from cabtrace.redact import Redactor

SCOPE = "cabtrace"


def make_resource(attributes: Mapping[str, str]) -> Resource:
    """`OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` first, then ours; the service is `cabtrace` unless they name one."""
    resource = Resource.create({sc.SERVICE_VERSION: __version__, **attributes})
    named = resource.attributes.get(sc.SERVICE_NAME, "")
    if isinstance(named, str) and (not named or named.startswith("unknown_service")):
        resource = resource.merge(Resource({sc.SERVICE_NAME: SCOPE}))
    return resource


def make_provider(
    sink: SpanSink,
    redactor: Redactor,
    attributes: Mapping[str, str],
    limits: Limits = DEFAULT,
    ids: IdGenerator | None = None,
) -> TracerProvider:
    """A provider that feeds `sink`, and live beside it whatever `OTEL_EXPORTER_OTLP_*` names. Raises UsageError."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        raise UsageError("OTEL_SDK_DISABLED is set, and cabtrace records with the SDK.", hint="Unset it and run again.")
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=make_resource(attributes),
        shutdown_on_exit=False,
        id_generator=ids,
        span_limits=SpanLimits(
            max_attributes=limits.span_attributes,
            max_span_attributes=limits.span_attributes,
            max_event_attributes=limits.span_attributes,
            max_link_attributes=limits.span_attributes,
            max_events=limits.span_events,
            max_links=limits.span_links,
            max_attribute_length=SpanLimits.UNSET,
            max_span_attribute_length=SpanLimits.UNSET,
        ),
    )
    provider.add_span_processor(StoreSpanProcessor(sink))
    exporter = live_exporter(redactor)
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
