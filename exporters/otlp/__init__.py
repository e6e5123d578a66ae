"""A run to an OTLP backend: encoded here, delivered with every result counted."""
