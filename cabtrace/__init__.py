"""cabtrace: record coding-agent runs with OpenTelemetry, replay them in the terminal."""

__version__ = "0.1.0"
