"""Real cells in a second: the reference agent, a scripted model, the local sandbox, tasks that need a shell only."""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cabtrace.agents.registry import find_agent
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import Cancel, CellSpec
from cabtrace.runner.task import load_task
from tests.support.cli_rig import make_task
from tests.support.loopback import QuietHandler, serving

ADD = "#!/bin/sh\n# prints the sum of its two arguments\necho $(($1 - $2))\n"
CHECK = "#!/bin/sh\n[ \"$(sh add.sh 2 2)\" = 4 ] && echo 'ok 1 - visible' || { echo 'not ok 1 - visible'; exit 1; }\n"
TESTS = """#!/usr/bin/env bash
cd "$CABTRACE_WORKDIR"
code=0
try() { if [ "$(sh add.sh $2 $3)" = "$4" ]; then echo "ok $1 - $2 plus $3"; else echo "not ok $1 - $2 plus $3"; code=1; fi; }
try 1 1 2 3
try 2 0 0 0
try 3 5 -7 -2
exit $code
"""
INSTRUCTION = "`add.sh` prints a wrong sum. Put it right. `sh check.sh` runs the test that is there; leave it as it is."
OURS = 'expected_changes = ["add.sh"]\nprotected_paths = ["check.sh"]'

LOOK = "cat add.sh"
TEST = "sh check.sh"
MEND = "printf '#!/bin/sh\\necho $(($1 + $2))\\n' > add.sh"
BREAK = "printf '#!/bin/sh\\necho $(($1 * $2))\\n' > add.sh"
DONE = "Done: add.sh adds now."

Step = str | Mapping[str, Any]


def script(*steps: Step, name: str = "m") -> Script:
    """A model: each step is a shell command, a whole turn, or (the last one) what it says."""
    turns = [
        {"text": f"Step {n}.", "tool_call": [{"name": "*", "arguments": {"command": s}}]} if isinstance(s, str) else dict(s)
        for n, s in enumerate(steps)
    ]
    return Script.model_validate({"schema_version": "1", "model": [{"name": name, "turn": turns}]})


def says(text: str, **more: Any) -> dict[str, Any]:
    """A turn without a tool call, or the fault that it has."""
    return {"text": text, **more}


def fault(command: str = "", **what: Any) -> dict[str, Any]:
    """A turn that goes wrong; with a command it goes right later."""
    call = {"tool_call": [{"name": "*", "arguments": {"command": command}}]} if command else {}
    return {"text": "Hm.", "fault": what, **call}


def add_task(folder: Path, **more: Any) -> Path:
    """The task of most cells."""
    files = {"add.sh": ADD, "check.sh": CHECK}
    return make_task(
        folder, **{"task_id": "unit/add", "test_sh": TESTS, "instruction": INSTRUCTION, "files": files, "ours": OURS, **more}
    )


@dataclass(slots=True)
class Cells:
    """Makes cells in one store."""

    folder: Path
    sweep: str = "unit"
    _tasks: dict[str, Path] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def task(self, name: str = "add", **more: Any) -> Path:
        """A task's folder, made once."""
        with self._mutex:
            if name not in self._tasks:
                self._tasks[name] = add_task(self.folder / "tasks" / name, **more)
            return self._tasks[name]

    def spec(self, task: Path, **more: Any) -> CellSpec:
        defaults: dict[str, Any] = {
            "task": load_task(task),
            "agent": find_agent("reference"),
            "model": "m",
            "store": self.store,
            "scratch": self.folder / "scratch",
            "sandbox": "local",
            "sweep": self.sweep,
            "grace_s": 0.5,
            "timeout_s": 60.0,
        }
        return CellSpec(**{**defaults, **more})

    def scripted(self, *steps: Step, task: Path | None = None, cancel: Cancel | None = None, **more: Any) -> Path:
        """A cell of the reference agent on a scripted model; the run's folder."""
        server = ModelServer([script(*steps)], speed=0)
        server.start()
        try:
            return run_cell(self.spec(task or self.task(), endpoint=server.url, **more), cancel=cancel).path
        finally:
            server.stop()

    def canned(self, *answers: Mapping[str, Any], task: Path | None = None, **more: Any) -> Path:
        """The same on an endpoint that sends the given chat completions as they are, one after the other."""
        with canned_endpoint(answers) as url:
            return run_cell(self.spec(task or self.task(), endpoint=url, **more)).path

    def command(self, *argv: str, task: Path | None = None, **more: Any) -> Path:
        """A cell whose agent is a command line."""
        return run_cell(self.spec(task or self.task(), agent=find_agent("command"), model="", agent_argv=argv, **more)).path


def completion(text: str = "", command: str = "", finish: str = "stop", tokens: int = 64) -> dict[str, Any]:
    """A chat completion as an endpoint sends it."""
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if command:
        function = {"name": "shell", "arguments": json.dumps({"command": command})}
        message["tool_calls"] = [{"index": 0, "id": "call_canned", "type": "function", "function": function}]
    return {"message": message, "finish": finish, "tokens": tokens}


@contextmanager
def canned_endpoint(answers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Streams each answer once, then the last one for ever."""
    rest = list(answers)

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.read_body()
            answer = rest.pop(0) if len(rest) > 1 else rest[0]
            if "error" in answer:
                error = {"message": answer["error"], "type": "invalid_request_error"}
                self.reply(400, "application/json", json.dumps({"error": error}).encode())
                return
            head = {"id": "canned", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            usage = {"prompt_tokens": 100, "completion_tokens": answer["tokens"], "total_tokens": 100 + answer["tokens"]}
            events = [
                {**head, "choices": [{"index": 0, "delta": answer["message"], "finish_reason": None}]},
                {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": answer["finish"]}]},
                {**head, "choices": [], "usage": usage},
            ]
            body = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"
            self.reply(200, "text/event-stream", body)

    with serving(Handler) as url:
        yield f"{url}/v1"


Made = dict[str, Path]


def make_all(folder: Path, makers: Mapping[str, Callable[[Cells], Path]], *, at_once: int = 4) -> Made:
    """Runs every maker, a few at a time; name -> run. Each has a sweep of its own, so that no attempt is numbered by chance."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(at_once) as pool:
        jobs = {
            name: pool.submit(make, Cells(folder / name.replace(" ", "-"), sweep=name.replace(" ", "-")))
            for name, make in makers.items()
        }
        return {name: job.result() for name, job in jobs.items()}


def once_for_all_workers(folder: Path, makers: Mapping[str, Callable[[Cells], Path]]) -> Made:
    """The same where several test processes ask for it: the first makes them, the others wait and read."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "made.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            made = make_all(folder / "cells", makers)
            done.write_text(json.dumps({name: str(path) for name, path in made.items()}))
        return {name: Path(path) for name, path in json.loads(done.read_text()).items()}
