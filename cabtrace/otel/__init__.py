"""OpenTelemetry: the provider, the processor and exporter that feed the store, and the recorder built on them."""
