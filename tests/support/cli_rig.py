"""The command line as a user has it: a process of its own, on pipes or on a real terminal, with a store of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PASSING_TEST = "#!/usr/bin/env bash\nexit 0\n"
FAILING_TEST = "#!/usr/bin/env bash\necho 'expected 1, got 2'\nexit 1\n"
# A program finds its terminal as /dev/tty too, as it would in a terminal window.
_OWN_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


@dataclass(frozen=True, slots=True)
class Done:
    """What a process left: on a terminal `stdout` holds both streams and `stderr` is empty."""

    code: int
    stdout: bytes
    stderr: bytes = b""

    @property
    def out(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    @property
    def err(self) -> str:
        return self.stderr.decode("utf-8", "replace")


@dataclass(slots=True)
class CommandLine:
    """A home with nothing in it but what a test puts there."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "CABTRACE_STORE": str(self.store),
            "CABTRACE_SCRATCH": str(self.scratch),
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            **self.env,
            **(extra or {}),
        }

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "cabtrace", *args],
            env=self.environment(env),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *args: str, env: Mapping[str, str] | None = None, timeout_s: float = 120) -> Done:
        process = self.start(*args, env=env)
        try:
            out, err = process.communicate(timeout=timeout_s)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return Done(process.returncode, out, err)

    def call(
        self, patch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *args: str, env: Mapping[str, str] | None = None
    ) -> Done:
        """The same in this process, which is ten times as fast; for calls that end before anything is run."""
        from cabtrace.cli.main import main

        with patch.context() as environment:
            for name in [n for n in os.environ if n.startswith(("CABTRACE_", "OTEL_", "OPENAI_", "DOCKER_"))]:
                environment.delenv(name)
            for name, value in self.environment(env).items():
                if name != "PYTHONPATH":
                    environment.setenv(name, value)
            environment.chdir(self.folder)
            capfd.readouterr()
            code = main(args)
            out, err = capfd.readouterr()
        return Done(code, out.encode("utf-8", "replace"), err.encode("utf-8", "replace"))

    def cell(self, task: Path, *args: str, env: Mapping[str, str] | None = None) -> Done:
        """`cabtrace run` of a task in the local sandbox."""
        return self.run("run", "--task", str(task), "--sandbox", "local", *args, env=env)


def on_terminal(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    *,
    columns: int = 200,
    rows: int = 50,
    timeout_s: float = 120,
) -> Done:
    """Runs a program on a pseudo-terminal and hands back every byte that the terminal would have been sent."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _OWN_TERMINAL, *argv],
        env=dict(env),
        cwd=cwd,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    seen, deadline = bytearray(), time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 0.2)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                data = os.read(controller, 65_536)
            except OSError:  # the last holder of the terminal closed it
                break
            if not data:
                break
            seen += data
        code = process.wait(max(1.0, deadline - time.monotonic()))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(controller)
    return Done(code, bytes(seen))


def make_task(
    folder: Path,
    *,
    task_id: str = "unit/task",
    test_sh: str = PASSING_TEST,
    instruction: str = "Do what is asked.",
    files: Mapping[str, str] | None = None,
    ours: str = "",
    more: str = "",
    solution: str = "",
) -> Path:
    """A small task that needs nothing but a shell. `ours` goes into [metadata.cabtrace], `more` to the end of the file."""
    for name, content in {
        "task.toml": f'schema_version = "1.0"\n\n[metadata.cabtrace]\nid = "{task_id}"\ncategory = "unit"\n{ours}\n{more}\n',
        "instruction.md": instruction,
        "tests/test.sh": test_sh,
        **({"solution/solve.sh": solution} if solution else {}),
        **{f"environment/{name}": content for name, content in (files or {"readme.txt": "nothing yet\n"}).items()},
    }.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")
    return folder


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by relative path; {} where there is no such folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def entries(folder: Path) -> list[str]:
    """Everything below a folder, folders too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) if folder.is_dir() else []


def one_sentence(done: Done) -> str:
    """What a user who got it wrong is told; fails where that is not one clear line without a traceback."""
    lines = [line for line in done.err.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("cabtrace: ")]
    assert "Traceback" not in done.err + done.out, done.err
    assert len(told) == 1, done.err
    assert lines[-1] == told[0], done.err
    assert len(told[0]) < 3_000
    return told[0]
