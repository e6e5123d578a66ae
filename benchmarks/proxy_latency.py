"""What the recording proxy costs: latency to the first byte, CPU per chunk, memory for an endless stream.

Usage: python benchmarks/proxy_latency.py [--calls 400] [--streams 200] [--chunks 2000] [--gib 1.0] [--json]

Direct and proxied calls alternate in one run, so that both see the same machine. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

TOKEN = "benchmark-token-0123456789"
PATH = "/v1/chat/completions"
EVENT = (
    b"data: "
    + json.dumps({"choices": [{"index": 0, "delta": {"content": "token "}}], "id": "x", "model": "m"}).encode()
    + b"\n\n"
)
BLOCK = b"x" * 65_536


def upstream(ready: Connection) -> None:
    """A model that answers at once: `x-chunks` events, or `x-blocks` blocks of 64 KiB."""
    from aiohttp import web

    async def serve(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(int(request.headers.get("x-chunks", "0"))):
            await response.write(EVENT)
            if number % 20 == 19:
                await asyncio.sleep(0)
        for _ in range(int(request.headers.get("x-blocks", "0"))):
            await response.write(BLOCK)
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def main() -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post(PATH, serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


class Counting:
    """A sink that only counts, as the cheapest there can be."""

    def __init__(self) -> None:
        self.chunks = self.bytes = self.ended = 0

    def request(self, request: object) -> Counting:
        return self

    def response(self, status: int, headers: object) -> None: ...

    def chunk(self, data: bytes) -> None:
        self.chunks += 1
        self.bytes += len(data)

    def end(self, error: str | None) -> None:
        self.ended += error is None

    def unrecorded(self, method: str, path: str) -> None: ...

    def rejected(self, reason: str) -> None: ...


def proxy(ready: Connection, upstream_port: int) -> None:
    """The proxy in a process of its own; answers each message with its CPU seconds, its memory and its counts."""
    import psutil

    from cabtrace.runner.proxy.proxy import ModelProxy

    sink = Counting()
    made = ModelProxy(f"http://127.0.0.1:{upstream_port}/v1", "key", TOKEN, sink)
    made.start()
    ready.send(made.port)
    while ready.recv():
        times = psutil.Process().cpu_times()
        ready.send((times.user + times.system, psutil.Process().memory_info().rss, sink.chunks, sink.bytes, sink.ended))


async def first_byte_s(port: int, body: bytes, connection: list[Any]) -> float:
    """Seconds from the request's last byte written to the body's first chunk read, on a kept connection."""
    if not connection:
        connection.extend(await asyncio.open_connection("127.0.0.1", port))
    reader, writer = connection
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\nx-chunks: 3\r\n"
    started = time.perf_counter()
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await reader.readuntil(b"\r\n\r\n")
    await reader.readline()
    took = time.perf_counter() - started
    await reader.readuntil(b"\r\n0\r\n\r\n")
    return took


async def latency(direct: int, proxied: int, calls: int) -> dict[str, float]:
    """Milliseconds that the proxy adds, at the median and at the 99th percentile."""
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "x" * 20_000}]}).encode()
    samples: dict[int, list[float]] = {direct: [], proxied: []}
    connections: dict[int, list[Any]] = {direct: [], proxied: []}
    for number in range(calls + 20):
        for port, kept in samples.items():
            took = await first_byte_s(port, body, connections[port])
            if number >= 20:
                kept.append(took * 1e3)
    cuts = {port: statistics.quantiles(kept, n=100) for port, kept in samples.items()}
    return {
        "direct_p50_ms": cuts[direct][49],
        "direct_p99_ms": cuts[direct][98],
        "added_p50_ms": cuts[proxied][49] - cuts[direct][49],
        "added_p99_ms": cuts[proxied][98] - cuts[direct][98],
    }


async def read_stream(port: int, **headers: int) -> int:
    """Body bytes of one streamed call, with HTTP's own framing taken off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = "".join(f"x-{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n{fields}Content-Length: 2\r\n\r\n"
    writer.write(head.encode() + b"{}")
    await reader.readuntil(b"\r\n\r\n")
    total = 0
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
        total += size
    writer.close()
    return total


async def throughput(port: int, control: Connection, streams: int, chunks: int) -> dict[str, float]:
    """All streams at once; what was lost, and the proxy's CPU time for each chunk."""
    await asyncio.sleep(0.5)  # what went before is over
    control.send(True)
    cpu, _, counted, _, ended = control.recv()
    started = time.perf_counter()
    got = await asyncio.gather(*(read_stream(port, chunks=chunks) for _ in range(streams)))
    took = time.perf_counter() - started
    await asyncio.sleep(0.2)
    control.send(True)
    cpu_after, _, counted_after, _, ended_after = control.recv()
    expected = len(EVENT) * chunks + len(b"data: [DONE]\n\n")
    return {
        "streams": streams,
        "chunks_each": chunks,
        "lost_bytes": sum(expected - one for one in got),
        "incomplete_calls": streams - (ended_after - ended),
        "chunks_recorded": counted_after - counted,
        "wall_s": took,
        "cpu_us_per_chunk": (cpu_after - cpu) / (streams * (chunks + 1)) * 1e6,
    }


async def endless(port: int, control: Connection, gib: float) -> dict[str, float]:
    """The proxy's memory before and at most during one very long stream."""
    control.send(True)
    before = control.recv()[1]
    call = asyncio.create_task(read_stream(port, blocks=int(gib * 2**30 / len(BLOCK))))
    most = before
    while not call.done():
        await asyncio.sleep(0.1)
        control.send(True)
        most = max(most, control.recv()[1])
    return {"stream_mib": (await call) / 2**20, "rss_growth_mib": (most - before) / 2**20}


async def run(options: argparse.Namespace, direct: int, proxied: int, control: Connection) -> dict[str, dict[str, float]]:
    """All three measurements."""
    return {
        "latency": await latency(direct, proxied, options.calls),
        "throughput": await throughput(proxied, control, options.streams, options.chunks),
        "endless": await endless(proxied, control, options.gib),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--chunks", type=int, default=2_000)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    ports: list[int] = []
    controls: list[Connection] = []
    processes = []
    try:
        for target, arguments in ((upstream, ()), (proxy, None)):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=target, args=(theirs, *(ports if arguments is None else arguments)), daemon=True)
            process.start()
            processes.append(process)
            ports.append(ours.recv())
            controls.append(ours)
        found = asyncio.run(run(options, ports[0], ports[1], controls[1]))
    finally:
        for process in processes:
            process.terminate()
    targets = {
        "added latency to the first byte, p50 <= 2 ms": found["latency"]["added_p50_ms"] <= 2,
        "added latency to the first byte, p99 <= 10 ms": found["latency"]["added_p99_ms"] <= 10,
        "no byte lost, every call complete": not found["throughput"]["lost_bytes"]
        and not found["throughput"]["incomplete_calls"],
        "memory for the long stream <= 64 MiB": found["endless"]["rss_growth_mib"] <= 64,
    }
    if options.json:
        print(json.dumps({"cpus": os.cpu_count(), **found, "targets": targets}, indent=2))
    else:
        for part, values in found.items():
            print(part, *(f"{name}={value:.2f}" for name, value in values.items()))
        for sentence, met in targets.items():
            print("met   " if met else "MISSED", sentence)
    return 0 if all(targets.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
