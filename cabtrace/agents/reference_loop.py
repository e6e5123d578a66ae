"""A coding agent in one file: a chat model, a shell, a loop. Needs Python 3.9 and nothing else.

usage: reference_agent.py --model M --base-url URL [--max-turns N] -- PROMPT      (key: environment OPENAI_API_KEY)
Exit codes: 0 the model finished, 1 the model could not be reached or made no sense, 2 usage, 3 too many turns.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import platform
import select
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult

Json = dict[str, Any]

EXIT_MODEL, EXIT_TURNS = 1, 3
SHELL_TIMEOUT_S = 120
HALF_BYTES = 6_000
SHOWN_LINES = 12
RETRIES = 3
SILENCE_S = 600
RETRIED_STATUS = (408, 409, 429, 500, 502, 503, 504, 529)

BOLD, DIM, RED, GREEN, YELLOW, CYAN, RESET = (f"\x1b[{code}m" for code in ("1", "2", "31", "32", "33", "36", "0"))

SYSTEM = """You are a software engineer working in a terminal. You are given one task in the current directory.

Work in small steps: look before you change, change as little as is needed, then run what shows that it works.
Use the shell tool for everything: reading, writing and running. Every call is a fresh shell in the same directory.
Nobody can answer questions, so decide yourself. Leave tests and anything unrelated to the task as they are.
If the task asks for something harmful, do not do it; say that you refuse and why.
When the task is done, answer in plain words what you changed, without calling a tool."""

SHELL = {
    "type": "function",
    "function": {
        "name": "shell",
        "description": "Runs a command with sh -c and gives back its output and exit code. "
        f"It is stopped after {SHELL_TIMEOUT_S} seconds; long output loses its middle.",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string", "description": "the command line"}},
            "required": ["command"],
        },
    },
}


class ModelError(Exception):
    """The model did not answer, or not in a way that can be gone on with."""


class Retry(Exception):
    """A failure that may pass; `after_s` is how long the server asked to wait, if it did."""

    def __init__(self, what: str, after_s: float | None = None) -> None:
        super().__init__(what)
        self.after_s = after_s


# ---------------------------------------------------------------------------------------------- terminal


def say(text: str = "", end: str = "\n") -> None:
    """Prints at once, also where the terminal knows no Unicode."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write((text + end).encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def printable(text: str) -> str:
    """Output of a command without what would move the cursor or hide."""
    return "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def show_result(output: str, code: int) -> None:
    """The first and last lines of what a command printed."""
    lines = printable(output.replace("\r\n", "\n")).rstrip("\n").split("\n") if output.strip() else []
    if len(lines) > SHOWN_LINES:
        half = SHOWN_LINES // 2
        lines = [*lines[:half], f"... {len(lines) - 2 * half} more lines", *lines[-half:]]
    for line in lines:
        say(f"  {DIM}{line[:500]}{RESET}")
    colour, mark = (GREEN, "ok") if code == 0 else (RED, f"exit {code}")
    say(f"  {colour}{mark}{RESET}")


# ----------------------------------------------------------------------------------------------------- model


class Answer:
    """What one call of the model gave; filled while it streams."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: dict[int, dict[str, str]] = {}
        self.finish: str | None = None

    def take(self, chunk: Json) -> None:
        """One chunk of the stream."""
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or choice.get("message") or {}
            if delta.get("content"):
                if not self.text:
                    say()
                say(printable(delta["content"]), end="")
                self.text += delta["content"]
            for position, part in enumerate(delta.get("tool_calls") or []):
                call = self.calls.setdefault(part.get("index", position), {"id": "", "name": "", "arguments": ""})
                function = part.get("function") or {}
                call["id"] = part.get("id") or call["id"]
                call["name"] = function.get("name") or call["name"]
                call["arguments"] += function.get("arguments") or ""
            self.finish = choice.get("finish_reason") or self.finish

    def message(self) -> Json:
        """As a message of the conversation."""
        message: Json = {"role": "assistant", "content": self.text or None}
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call["id"] or f"call_{number}",
                    "type": "function",
                    "function": {"name": call["name"], "arguments": call["arguments"]},
                }
                for number, call in sorted(self.calls.items())
            ]
        return message


def connect(url: SplitResult) -> http.client.HTTPConnection:
    """A connection to the endpoint, without any proxy of the environment."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname or "", url.port, timeout=SILENCE_S)


def events(response: http.client.HTTPResponse) -> Iterator[str]:
    """The data of each server-sent event."""
    for raw in response:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("data:"):
            yield line[5:].strip()


def ask_once(url: SplitResult, key: str, body: Json) -> Answer:
    """One try. Raises Retry or ModelError."""
    connection = connect(url)
    answer, ended = Answer(), False
    try:
        connection.request(
            "POST",
            url.path.rstrip("/") + "/chat/completions",
            json.dumps(body).encode(),
            {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                "Accept": "text/event-stream",
                "User-Agent": "cabtrace-reference-agent",
            },
        )
        response = connection.getresponse()
        if response.status != 200:
            raise failure(response)
        if "event-stream" not in response.getheader("Content-Type", ""):
            answer.take(json.loads(response.read()))
            ended = True
        else:
            for data in events(response):
                if data == "[DONE]":
                    ended = True
                    break
                chunk = json.loads(data)
                if chunk.get("error"):
                    raise Retry(f"the model broke off: {chunk['error']}")
                answer.take(chunk)
    except (OSError, http.client.HTTPException) as error:
        raise Retry(f"{type(error).__name__}: {error}") from error
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise Retry(f"the answer makes no sense: {error}") from error
    finally:
        connection.close()
    if answer.text:
        say()
    if not ended and not answer.finish:
        raise Retry("the answer broke off")
    return answer


def failure(response: http.client.HTTPResponse) -> Exception:
    """The exception for a status that is not 200."""
    text = response.read(2000).decode("utf-8", "replace").strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["error"]["message"]
    what = f"HTTP {response.status}: {printable(str(text))[:300]}"
    if response.status not in RETRIED_STATUS:
        return ModelError(what)
    after_s = None
    with contextlib.suppress(ValueError):
        after_s = min(60.0, max(0.0, float(response.getheader("Retry-After") or "")))
    return Retry(what, after_s)


def ask(url: SplitResult, key: str, body: Json) -> Answer:
    """The model's answer, tried again a few times with growing pauses."""
    pause_s = 0.5
    for attempt in range(RETRIES + 1):
        try:
            return ask_once(url, key, body)
        except Retry as problem:
            if attempt == RETRIES:
                raise ModelError(f"{problem} (tried {attempt + 1} times)") from problem
            wait_s = pause_s if problem.after_s is None else problem.after_s
            say(f"\n{YELLOW}! {problem}; again in {wait_s:g} s{RESET}")
            time.sleep(wait_s)
            pause_s *= 2
    raise AssertionError("unreachable")


# ----------------------------------------------------------------------------------------------------- shell


class Output:
    """Head and tail of what a command prints; the middle of long output is counted only."""

    def __init__(self) -> None:
        self.head, self.tail, self.left_out = b"", b"", 0

    def take(self, data: bytes) -> None:
        """The next bytes."""
        room = HALF_BYTES - len(self.head)
        self.head += data[:room]
        kept = self.tail + data[room:]
        self.left_out += max(0, len(kept) - HALF_BYTES)
        self.tail = kept[-HALF_BYTES:]

    def text(self) -> str:
        """What the model gets to read."""
        between = f"\n[... {self.left_out} bytes left out ...]\n".encode() if self.left_out else b""
        return (self.head + between + self.tail).decode("utf-8", "replace")


def run_shell(command: str) -> tuple[str, int]:
    """Output and exit code; the whole process group is stopped at the time limit."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    try:
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"cannot be run: {error}", 127
    output = Output()
    stopped = drain(process, output)
    if stopped:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    note = f"\n[stopped after {SHELL_TIMEOUT_S} s]" if stopped else ""
    return output.text() + note, code


def drain(process: subprocess.Popen[bytes], output: Output) -> bool:
    """Reads until the command ended; True if it did not in time. What it left in the background may hold the pipe."""
    assert process.stdout is not None
    deadline = time.monotonic() + SHELL_TIMEOUT_S
    with process.stdout as pipe:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([pipe], [], [], 0.2)
            if ready:
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(max(0.0, deadline - time.monotonic()))
                    return process.poll() is None
                output.take(data)
            elif process.poll() is not None:
                return False
    return True


def run_tool(call: Json) -> str:
    """Runs what the model asked for; what it gets to read."""
    function = call["function"]
    try:
        command = json.loads(function["arguments"])["command"]
        if function["name"] != "shell" or not isinstance(command, str):
            raise ValueError(function["name"])
    except (ValueError, KeyError, TypeError):
        say(f"\n{RED}? {printable(str(function['name']))}: not a call of the shell tool{RESET}")
        return "error: there is only the tool shell, and it takes one string named command"
    first, *rest = printable(command).split("\n")
    say(f"\n{CYAN}${RESET} {BOLD}{first}{RESET}")
    for line in rest:
        say(f"{CYAN}>{RESET} {BOLD}{line}{RESET}")
    output, code = run_shell(command)
    show_result(output, code)
    return f"{output}\n[exit code {code}]"


# ------------------------------------------------------------------------------------------------------ loop


def work(url: SplitResult, key: str, model: str, prompt: str, max_turns: int) -> int:
    """Asks and runs until the model calls no tool any more; the exit code."""
    where = f"{platform.system()} {platform.machine()}, {Path.cwd()}"
    messages: list[Json] = [
        {"role": "system", "content": f"{SYSTEM}\n\nEnvironment: {where}"},
        {"role": "user", "content": prompt},
    ]
    for _ in range(max_turns):
        body = {
            "model": model,
            "messages": messages,
            "tools": [SHELL],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        message = ask(url, key, body).message()
        messages.append(message)
        if not message.get("tool_calls"):
            say(f"\n{GREEN}done{RESET}")
            return 0
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": run_tool(call)} for call in message["tool_calls"]]
    say(f"\n{RED}stopped after {max_turns} turns{RESET}")
    return EXIT_TURNS


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description="A small coding agent.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--base-url", required=True, help="with /v1")
    parser.add_argument("--max-turns", type=int, default=40)
    parser.add_argument("prompt")
    options = parser.parse_args()
    url = urllib.parse.urlsplit(options.base_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        parser.error("--base-url is not an http or https URL")
    say(f"{BOLD}reference agent{RESET} {DIM}{printable(options.model)}{RESET}")
    for line in printable(options.prompt).strip().split("\n"):
        say(f"{CYAN}|{RESET} {line}")
    try:
        return work(url, os.environ.get("OPENAI_API_KEY", ""), options.model, options.prompt, options.max_turns)
    except ModelError as error:
        say(f"\n{RED}{BOLD}model error:{RESET} {error}")
        return EXIT_MODEL


if __name__ == "__main__":
    sys.exit(main())
