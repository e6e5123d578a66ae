"""`cabtrace model`."""

from __future__ import annotations

import threading
from pathlib import Path

import click


@click.group("model", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Scripted model answers over HTTP, for agents that should run without a key."""


@command.command("serve")
@click.argument("scripts", metavar="SCRIPT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default="any free one", help="Port to listen on.")
@click.option("--speed", default=1.0, show_default=True, help="Latencies are multiplied by this; 0 answers at once.")
@click.option("--key", envvar="CABTRACE_MODEL_KEY", help="Demand this API key [env: CABTRACE_MODEL_KEY].")
def serve(scripts: tuple[Path, ...], host: str, port: int, speed: float, key: str | None) -> None:
    """Serve SCRIPTs until interrupted: chat completions, responses, messages and generateContent."""
    from cabtrace.cli import out
    from cabtrace.modelserver.script import load_script
    from cabtrace.modelserver.server import ModelServer

    server = ModelServer([load_script(p) for p in scripts], host=host, port=port, speed=speed, api_key=key)
    server.start()
    out.say(f"Serving {len(scripts)} scripts at {server.url} (interrupt to stop)")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()
