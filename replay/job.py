"""A cell that runs beside the app, in words: what it does, what came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cabtrace.model.run import RunHeader
from replay import display
from replay.child import Child, Report
from replay.document import Line, Tone, heading, line, pad, paragraphs, words

_CABTRACE = (sys.executable, "-m", "cabtrace.cli.main")
_PHASES = {
    "task_setup": "workspace and sandbox",
    "recording": "recording",
    "adapter_run": "the agent runs",
    "scoring": "tests and scores",
    "cleanup": "cleaning up",
}


Answer = tuple[str, str, str]  # a key as Textual names it, what it does in words, the answer's name


class Job:
    """One child. `of` is the run that it repeats, None where it is a cell that is watched."""

    def __init__(self, child: Child, of: Path | None = None) -> None:
        self.child = child
        self.of = of
        self.report = Report()
        self.exit_code: int | None = None
        self.told = False  # whether the user has seen how it ended

    @property
    def running(self) -> bool:
        """Whether it has not ended yet, as far as `poll` knows."""
        return self.exit_code is None

    def poll(self) -> bool:
        """Looks again; True when anything is new."""
        code, report = self.child.poll(), self.child.report()
        changed = (code, report) != (self.exit_code, self.report)
        self.exit_code, self.report = code, report
        return changed

    @property
    def lacks_task(self) -> bool:
        """Whether it could not be made because nobody said where the task is."""
        return not self.running and self.run is None and "--task" in self.child.complaint()

    def answers(self) -> list[Answer]:
        """What the user can do about it now."""
        follow = [] if self.run is None else [("enter", "replay the new run", "replay")]
        if self.running:
            return [*follow, ("x", "stop it", "stop"), ("escape", "let it go on in the background", "")]
        if self.lacks_task:
            return [("t", "name the task's folder", "task"), ("escape", "close", "")]
        compare = [("c", "compare it with the run it repeats", "compare")] if follow else []
        return [*follow, *compare, ("escape", "close", "")]

    @property
    def run(self) -> Path | None:
        """Where it records."""
        return self.report.run

    def sentence(self) -> str:
        """How it stands, in one line."""
        if self.running:
            phase = self.report.phases[-1][1] if self.report.phases else "starting"
            return f"rerun: {_PHASES.get(phase, phase)}"
        result = self.child.result()
        if "verdict" not in result:
            return f"The rerun could not be made: {self.child.complaint().removeprefix('cabtrace: ')}"
        sign, _ = display.VERDICTS.get(str(result["verdict"]), (str(result["verdict"]), Tone.DIM))
        return f"The rerun ended: {sign}, {_divergence(result)[0]}; R shows it."

    def lines(self) -> Iterator[Line]:
        """All of it."""
        for at_s, name, detail in self.report.phases:
            shown = "" if name == "recording" else detail
            yield line(
                words(f"{at_s:8.1f} s  ", Tone.DIM), words(_PHASES.get(name, name), Tone.STRONG), words(f"  {shown}", Tone.DIM)
            )
        if self.running:
            yield from self._standing()
            return
        result = self.child.result()
        yield Line()
        if "verdict" in result:
            yield from _ended(result)
        else:
            yield line(words("! It could not be run again. Nothing was recorded, and nothing was lost.", Tone.WARN))
            yield from paragraphs(self.child.complaint().removeprefix("cabtrace: "), Tone.TEXT, max_chars=4_000)

    def _standing(self) -> Iterator[Line]:
        stats = self.report.stats
        yield Line()
        if not stats:
            yield line(words("starting …" if not self.report.phases else "● running", Tone.WARN))
            return
        tokens = stats.get("input_tokens", 0) + stats.get("output_tokens", 0)
        counts = (
            f"  {stats.get('calls', 0):,} model calls, {tokens:,} tokens, {display.size(stats.get('terminal_bytes'))} of terminal"
        )
        yield line(words("● running", Tone.WARN), words(counts, Tone.DIM))


def rerun_argv(run: Path, store: Path, task: Path | None = None) -> list[str]:
    """The command that runs a cell again; `Child` adds where it reports to. `task`: its folder, if it is none of the examples."""
    folder = [] if task is None else ["--task", str(task)]
    return [*_CABTRACE, "rerun", str(run), "--store", str(store), "--json", *folder]


def rerun_words(header: RunHeader, run: Path, store: Path) -> Iterator[Line]:
    """What running it again would do."""
    yield line(words(header.title, Tone.STRONG))
    yield Line()
    yield line(words("The cell runs again on its recorded model answers: offline, without a key, free."))
    yield line(words("It becomes a new run in the sweep `rerun`; this run and its records stay as they are."))
    yield line(words(f"The agent runs for real, in the sandbox `{header.sandbox.kind}`."))
    yield Line()
    yield line(
        words("$ ", Tone.DIM), words(shlex.join(["cabtrace", "rerun", str(run), "--store", str(store)]), Tone.DIM), indent=2
    )


def task_folder(text: str) -> Path | None:
    """The folder that was named, if there is a task in it."""
    try:
        folder = Path(text.strip()).expanduser().absolute()
        return folder if (folder / "task.toml").is_file() else None
    except (OSError, ValueError, RuntimeError):  # the last one: `~` of a user whom nobody knows
        return None


def leave_words(running: int) -> Iterator[Line]:
    """What quitting means while something runs beside the app."""
    yield line(words("A cell is still running." if running == 1 else f"{running} cells are still running.", Tone.STRONG))
    yield line(
        words("It can go on in the background, or be stopped: its records are finished then, and nothing is lost.", Tone.TEXT)
    )


def _ended(result: Mapping[str, Any]) -> Iterator[Line]:
    verdict, cause = str(result["verdict"]), str(result.get("cause") or display.UNKNOWN)
    sign, tone = display.VERDICTS.get(verdict, (verdict, Tone.DIM))
    yield line(
        words(sign, tone), words(f"  {cause}", Tone.DIM), words(f"  {result.get('cause_detail') or ''}", Tone.TEXT), indent=2
    )
    yield line(words(f"{result.get('answered_from_recording', 0):,} model calls were answered from the recording.", Tone.DIM))
    sentence, tone = _divergence(result)
    yield line(words("Against the run that it repeats: ", Tone.TEXT), words(sentence, tone))
    missing = result.get("unanswered")
    if isinstance(missing, Mapping):
        yield Line()
        yield heading("- recorded, + asked now")
        for row in str(missing.get("difference") or "").split("\n"):
            tone = {"+": Tone.ADDED, "-": Tone.REMOVED}.get(row[:1], Tone.DIM)
            yield from paragraphs(row, tone, max_chars=4_000)


def _divergence(result: Mapping[str, Any]) -> tuple[str, Tone]:
    missing, found = result.get("unanswered"), result.get("first_divergence")
    if isinstance(missing, Mapping):
        return str(missing.get("sentence", "")), Tone.WARN
    if isinstance(found, Mapping):
        return str(found.get("sentence", "")), Tone.WARN
    return "no divergence", Tone.GOOD


def choices(*pairs: tuple[str, str]) -> Line:
    """Keys and what they do, in one line."""
    pieces = [piece for key, what in pairs for piece in (words(pad(key, len(key)), Tone.KEY), words(f" {what}   ", Tone.DIM))]
    return line(*pieces)
