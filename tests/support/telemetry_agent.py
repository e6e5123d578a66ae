"""An agent that tells of itself with the official SDK, its own trace and another one: run in the sandbox by test_telemetry.

usage: telemetry_agent.py [hang]   `hang`: sends what is finished, never its root, and waits to be killed
"""

import http.client
import json
import os
import subprocess
import sys
import time
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SECRET = "ghp_" + "0123456789abcdefghijABCDEFGHIJklmnop"


def ask(messages: list[dict[str, object]]) -> dict[str, object]:
    """One call of the model, with the current span in its `traceparent`."""
    target = urlsplit(os.environ["OPENAI_BASE_URL"])
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json"}
    TraceContextTextMapPropagator().inject(headers)
    tools = [{"type": "function", "function": {"name": "shell", "parameters": {"type": "object", "properties": {}}}}]
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
    try:
        body = {"model": "m", "messages": messages, "tools": tools}
        connection.request("POST", f"{target.path}/chat/completions", json.dumps(body), headers)
        message: dict[str, object] = json.loads(connection.getresponse().read())["choices"][0]["message"]
        return message
    finally:
        connection.close()


def main() -> None:
    """Two calls with a tool between them."""
    provider = TracerProvider(resource=Resource.create({"service.name": "spec-agent"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    tracer = provider.get_tracer("spec-agent", "1.0")
    parent = TraceContextTextMapPropagator().extract({"traceparent": os.environ["TRACEPARENT"]})
    for number in range(3):
        tracer.start_span(f"auth {number}").end()  # roots of traces of their own
    root = tracer.start_span("agent.turn", parent, attributes={"cabtrace.verdict": "pass", "note": f"key {SECRET}"})
    messages: list[dict[str, object]] = [{"role": "user", "content": "go"}]
    with trace.use_span(root):
        for _ in range(2):
            with tracer.start_as_current_span(
                "chat m", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
            ):
                message = ask(messages)
            messages.append(message)
            for call in message.get("tool_calls") or ():  # type: ignore[attr-defined]
                known = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "shell", "gen_ai.tool.call.id": call["id"]}
                with tracer.start_as_current_span("execute_tool shell", attributes=known):
                    command = json.loads(call["function"]["arguments"])["command"]
                    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False).stdout
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": output})
    if "hang" in sys.argv:
        provider.force_flush()
        print("flushed", flush=True)
        time.sleep(600)
    root.end()
    provider.shutdown()


if __name__ == "__main__":
    main()
