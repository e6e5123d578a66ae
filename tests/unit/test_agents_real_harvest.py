"""What an agent wrote about itself comes out of a real local sandbox, bounded and without its secrets."""

from __future__ import annotations

import dataclasses
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.limits import DEFAULT, Limits
from cabtrace.model.ids import new_run_id
from cabtrace.protocols import AgentCapabilities, Command, Launch, LaunchContext, SandboxPaths, Transcript
from cabtrace.redact import Redactor
from cabtrace.runner.agent_version import agent_version, find_version, version_warning
from cabtrace.runner.harvest import harvest, roots
from cabtrace.runner.sandbox.local import LocalSandbox
from cabtrace.store.clock import RunClock
from cabtrace.store.writer import RunWriter
from tests.support.recording import new_writer
from tests.support.transcripts import PLACES, lay, lay_opencode_database

SECRET = "sk-ant-api03-" + "q7" * 40


@dataclass
class Cell:
    """An open local sandbox and a run to write to."""

    sandbox: LocalSandbox
    paths: SandboxPaths
    writer: RunWriter
    scratch: Path

    @property
    def home(self) -> Path:
        return Path(self.paths.home)

    def harvest(self, agent: object, limits: Limits = DEFAULT) -> Transcript:
        redactor = Redactor({"api_key": SECRET})
        return harvest(agent, self.sandbox, self.paths, self.scratch, self.writer, redactor, limits)  # type: ignore[arg-type]

    def kept(self) -> dict[str, bytes]:
        root = self.writer.path / "artifacts"
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    sandbox = LocalSandbox(scratch / "box", env_marker=new_run_id())
    facts = sandbox.open()
    writer = new_writer(tmp_path / "store", RunClock.start())
    yield Cell(sandbox, facts.paths, writer, scratch)
    writer.close()
    sandbox.close()


@dataclass
class Talker:
    """An agent of another package, with one transcript."""

    name: str = "talker"
    capabilities: AgentCapabilities = dataclasses.field(default_factory=AgentCapabilities)
    globs: tuple[str, ...] = ("notes/**/*.txt",)

    def launch(self, context: LaunchContext) -> Launch:
        raise AssertionError

    def executables(self) -> tuple[str, ...]:
        return ()

    def transcript_globs(self) -> tuple[str, ...]:
        return self.globs

    def read_transcript(self, folder: Path) -> Transcript:
        return Transcript(version="1.2", problems=tuple(sorted(p.name for p in folder.rglob("*.txt"))))


@pytest.mark.parametrize("agent", [name for name in PLACES if name != "opencode"])
def test_the_transcript_is_read_and_kept_under_its_name(agent: str, cell: Cell) -> None:
    lay(agent, cell.home)

    found = cell.harvest(find_agent(agent))

    assert found.tool_calls
    assert found.problems == ()
    assert list(cell.kept()) == [f"{agent}/{PLACES[agent][1]}"]


def test_the_database_of_opencode_is_kept_as_text_only(cell: Cell) -> None:
    lay_opencode_database(cell.home)

    found = cell.harvest(find_agent("opencode"))

    assert [call.exit_code for call in found.tool_calls] == [0]
    assert found.problems == ()
    kept = cell.kept()
    assert list(kept) == ["opencode/.local/share/opencode/opencode.db.jsonl"]
    assert b"secret-of-an-account" not in b"".join(kept.values())


def test_secrets_are_removed_from_content_and_names(cell: Cell) -> None:
    notes = cell.home / "notes"
    notes.mkdir()
    (notes / f"{SECRET}.txt").write_text(f"the key is {SECRET}\n")

    cell.harvest(Talker())

    (name, content), *_ = cell.kept().items()
    assert SECRET not in name
    assert SECRET.encode() not in content
    assert b"the key is [redacted:" in content


def test_the_folders_of_this_machine_are_in_no_name(cell: Cell) -> None:
    slug = re.sub("[^A-Za-z0-9]", "-", cell.paths.workdir)  # as Claude Code and Qwen Code name it
    folder = cell.home / "notes" / slug
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("x")

    cell.harvest(Talker())

    assert list(cell.kept()) == ["talker/notes/-workdir/a.txt"]


def test_binary_files_are_not_kept_and_told(cell: Cell) -> None:
    notes = cell.home / "notes"
    notes.mkdir()
    (notes / "a.txt").write_bytes(b"\xff\xfe" + SECRET.encode())
    (notes / "b.txt").write_bytes(b"zero\0byte")

    found = cell.harvest(Talker())

    assert cell.kept() == {}
    assert sum("it is no text" in problem for problem in found.problems) == 2


def test_links_out_of_the_home_are_not_followed(cell: Cell, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("not the cell's")
    notes = cell.home / "notes"
    notes.mkdir()
    (notes / "a.txt").symlink_to(outside)
    os.link(outside, notes / "hard.txt")
    os.mkfifo(notes / "pipe.txt")

    cell.harvest(Talker())

    assert not any(name.endswith(("a.txt", "pipe.txt")) for name in cell.kept())


def test_size_and_number_are_bounded(cell: Cell) -> None:
    notes = cell.home / "notes"
    notes.mkdir()
    for number in range(6):
        (notes / f"{number}.txt").write_text("line\n" * 100)
    limits = dataclasses.replace(DEFAULT, artifact_file_bytes=203, artifact_files=4)

    found = cell.harvest(Talker(), limits)

    kept = cell.kept()
    assert len(kept) == 4
    assert all(content == b"line\n" * 40 for content in kept.values())
    assert any("cut at 203 bytes" in problem for problem in found.problems)
    assert any("too large" in problem for problem in found.problems)


def test_nothing_written_is_nothing_known(cell: Cell) -> None:
    found = cell.harvest(find_agent("codex"))

    assert found.tool_calls == ()
    assert cell.kept() == {}


def test_an_agent_without_transcript_is_left_alone(cell: Cell) -> None:
    assert cell.harvest(find_agent("nop")) == Transcript()


def test_a_reader_that_raises_is_told_and_the_files_are_kept(cell: Cell) -> None:
    class Broken(Talker):
        def read_transcript(self, folder: Path) -> Transcript:
            raise ValueError("no idea")

    (cell.home / "notes").mkdir()
    (cell.home / "notes" / "a.txt").write_text("x")

    found = cell.harvest(Broken())

    assert found.problems == ("the transcript could not be read: ValueError: no idea",)
    assert list(cell.kept()) == ["talker/notes/a.txt"]


def test_what_a_killed_agent_wrote_is_there(cell: Cell) -> None:
    script = "mkdir -p $HOME/notes; echo first > $HOME/notes/a.txt; printf torn >> $HOME/notes/a.txt; sleep 60"
    process = cell.sandbox.start(Command(("sh", "-c", script), {}, cell.paths.workdir))
    written = cell.home / "notes" / "a.txt"
    deadline = time.monotonic() + 30
    while not (written.is_file() and written.read_bytes().endswith(b"torn")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()

    cell.harvest(Talker())

    assert cell.kept() == {"talker/notes/a.txt": b"first\ntorn"}


@pytest.mark.parametrize(
    ("globs", "found"),
    [
        ((".a/b/**/*.jsonl",), (".a/b",)),
        ((".a/one.json", ".a/b/*.json"), (".a",)),
        (("x/*/y.json", "z"), (".",)),
        (("x/1", "y/2"), ("x", "y")),
    ],
)
def test_only_the_folders_of_the_globs_are_copied(globs: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert roots(globs) == found


class Versioned(Talker):
    verified_version = "1.2.3"

    def __init__(self, script: str) -> None:
        super().__init__()
        self.script = script

    def version_argv(self) -> tuple[str, ...]:
        return ("sh", "-c", self.script)


def ask(cell: Cell, agent: object) -> str:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://nowhere", "KEPT": "4.5.6"}
    return agent_version(agent, cell.sandbox, cell.paths, env, time.monotonic_ns, threading.Event())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo tool 1.2.3", "1.2.3"),
        ("echo $KEPT${OTEL_EXPORTER_OTLP_ENDPOINT}", "4.5.6"),
        ("exit 3", ""),
        ("echo no number", ""),
        ("exec /nowhere", ""),
    ],
)
def test_the_program_is_asked_for_its_version(script: str, version: str, cell: Cell) -> None:
    assert ask(cell, Versioned(script)) == version


def test_a_program_that_is_missing_has_no_version(cell: Cell) -> None:
    agent = Versioned("")
    agent.version_argv = lambda: ("no-such-program-anywhere", "--version")  # type: ignore[method-assign]

    assert ask(cell, agent) == ""


@pytest.mark.parametrize(
    ("output", "version"),
    [
        (b"2.1.197 (Claude Code)\r\n", "2.1.197"),
        (b"codex-cli 0.169.0\n", "0.169.0"),
        (b"GitHub Copilot CLI 1.0.102.\nRun 'copilot update'", "1.0.102"),
        (b"This is \x1b[1;32mmini-swe-agent\x1b[0m version \x1b[1;32m2.4\x1b[0m\x1b[1;32m.\x1b[0m\x1b[1;32m6\x1b[0m.\n", "2.4.6"),
        (b"aider 0.86.2\n", "0.86.2"),
        (b"v3.0.0-rc.1+build\n", "3.0.0-rc.1+build"),
        (b"127.0.0.1.5 is no version, 7 neither", ""),
        (b"\xff\x00", ""),
    ],
)
def test_a_version_is_found_in_what_is_printed(output: bytes, version: str) -> None:
    assert find_version(output) == version


def test_another_version_than_the_verified_one_is_told() -> None:
    agent = Versioned("")

    assert version_warning(agent, "1.2.3") == ""  # type: ignore[arg-type]
    assert "talker 1.3.0 is not the version" in version_warning(agent, "1.3.0")  # type: ignore[arg-type]
    assert "could not be learned" in version_warning(agent, "")  # type: ignore[arg-type]
    assert version_warning(find_agent("nop"), "") == ""
