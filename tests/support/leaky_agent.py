"""An agent that spills every secret it knows wherever a program can: run by the whole-run secret tests, in the sandbox.

usage: leaky_agent.py SECRETS.json [options that are secret themselves]
"""

import base64
import http.client
import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit


def say(text: str, size: int) -> None:
    """Prints in pieces, so that secrets are cut between two reads of the terminal."""
    data = text.encode("utf-8", "surrogateescape")
    for start in range(0, len(data), size):
        os.write(1, data[start : start + size])


def ask(url: str, body: object, headers: dict[str, str]) -> str:
    """One call of the model."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
    try:
        sent = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json", **headers}
        connection.request("POST", f"{target.path}/chat/completions", json.dumps(body).encode(), sent)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def main() -> None:
    """Terminal, files, file names, requests, headers, then an exception."""
    secrets: list[str] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    echoed = [*secrets, *sys.argv[2:]]
    say("I print what I know:\n", 99)
    for number, secret in enumerate(echoed):
        say(f"{number}: {secret}\n\x1b[1m{secret}\x1b[0m\r\n", 5 + number % 13)
        if number % 16 == 0:
            time.sleep(0.01)
    Path("notes.txt").write_text("".join(f"note {s}\n" for s in echoed), "utf-8")
    Path("deep").mkdir(exist_ok=True)
    for number, secret in enumerate(echoed):
        name = f"file-{number}-{secret}.txt"
        if "/" not in name and "\n" not in name and len(name.encode()) < 255:
            Path("deep", name).write_text(f"in {secret}\n", "utf-8")
    endpoint = os.environ["OPENAI_BASE_URL"]
    for stream in (True, False):
        messages: list[dict[str, object]] = [{"role": "user", "content": "\n".join(echoed)}]
        for turn in range(3):
            tools = [{"type": "function", "function": {"name": "shell", "parameters": {"type": "object", "properties": {}}}}]
            body = {"model": "leaky", "stream": stream, "messages": messages, "tools": tools}
            secret = next((s for s in echoed if s.isascii() and "\n" not in s), "")
            answer = ask(endpoint, body, {"User-Agent": f"leaky {echoed[turn]}", "X-Request-Id": secret, "X-Api-Key": secret})
            if not stream:  # the raw events of a stream hold a secret in pieces that no one can see as one
                say(answer[:20_000], 37)
            call = {"id": f"c{turn}", "type": "function", "function": {"name": "shell", "arguments": json.dumps({"c": echoed})}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": "\n".join(echoed)})
    print(base64.b64encode("".join(sys.argv[2:]).encode()).decode())
    raise RuntimeError(f"I break with {echoed}")


if __name__ == "__main__":
    main()
