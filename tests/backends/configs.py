"""The smallest configurations of real backends: loopback only, nothing kept beyond the test, nothing told to anybody.

`<name>` stands for a port, or for what the caller puts there.
"""

from __future__ import annotations

IN_MEMORY = "memory: {max_traces: 1000}"
ON_DISK = "badger: {ephemeral: false, directories: {keys: data, values: data}}"  # what it took outlives a kill

_JAEGER = """
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry: {metrics: {level: none}}
extensions:
  jaeger_query:
    storage: {traces: kept}
    http: {endpoint: "127.0.0.1:<query>"}
    grpc: {endpoint: "127.0.0.1:<query_grpc>"}
  jaeger_storage:
    backends: {kept: {<storage>}}
  healthcheckv2:
    use_v2: true
    http: {endpoint: "127.0.0.1:<health>"}
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:<grpc>"<tls>}
      http: {endpoint: "127.0.0.1:<http>"<tls>}
exporters:
  jaeger_storage_exporter: {trace_storage: kept}
"""
JAEGER_PORTS = ("grpc", "http", "query", "query_grpc", "health")

COLLECTOR = """
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:<grpc>"}
      http: {endpoint: "127.0.0.1:<http>"}
exporters:
  file: {path: out.jsonl, flush_interval: 100ms}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
"""
COLLECTOR_PORTS = ("grpc", "http")

# reads whole files that are there when it starts, and writes them anew
FILE_COLLECTOR = """
receivers:
  otlpjsonfile: {include: [in.jsonl], start_at: beginning, poll_interval: 50ms}
exporters:
  file: {path: out.jsonl, flush_interval: 100ms}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlpjsonfile], exporters: [file]}
"""

TEMPO = """
usage_report: {reporting_enabled: false}
server:
  http_listen_address: 127.0.0.1
  http_listen_port: <query>
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: <internal>
  log_level: warn
distributor:
  receivers:
    otlp:
      protocols:
        grpc: {endpoint: "127.0.0.1:<grpc>"}
        http: {endpoint: "127.0.0.1:<http>"}
ingester:
  lifecycler: {address: 127.0.0.1, min_ready_duration: 0s}
  flush_check_period: 1s  # what is searched is what was flushed
  trace_idle_period: 1s
metrics_generator:  # answers TraceQL's metrics, which the dashboard asks for
  ring: {instance_addr: 127.0.0.1}
  storage: {path: generator/wal}
  traces_storage: {path: generator/traces}
  processor: {local_blocks: {filter_server_spans: false, flush_check_period: 1s, trace_idle_period: 1s}}
overrides:
  defaults: {metrics_generator: {processors: [local-blocks]}}
storage:
  trace:
    backend: local
    wal: {path: wal}
    local: {path: blocks}
"""
TEMPO_PORTS = ("grpc", "http", "query", "internal")


def jaeger(storage: str, tls: str = "") -> str:
    """Jaeger's, with a storage of the above, and settings for the receivers' TLS."""
    return _JAEGER.replace("<storage>", storage).replace("<tls>", tls and f", tls: {{{tls}}}")
