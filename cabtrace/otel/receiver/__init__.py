"""An OTLP/HTTP receiver: traces, logs and metrics of one agent, in protobuf or JSON, as records."""
