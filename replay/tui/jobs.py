"""What runs beside the app: a cell that is run again, or the one that is watched. Never in the way of keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.timer import Timer

from cabtrace.errors import CabtraceError
from replay.tui.screens.opening import OpeningScreen

if TYPE_CHECKING:
    from replay.child import Child
    from replay.job import Job

_LOOK_S = 0.5


class JobApp(App[int]):
    """The base of the replay app. What only a rerun needs is imported when there is one: the first frame is waited for."""

    def __init__(self, store: Path, watched: Child | None) -> None:
        super().__init__()
        self._store = store
        self._watched = watched
        self._job: Job | None = None
        self._looking: Timer | None = None
        self._folders: dict[Path, Path] = {}  # run -> its task, as far as the user named it

    def compare(self, left: Path, right: Path) -> None:
        """Two runs side by side."""
        from replay.tui.screens.compare_opening import CompareOpeningScreen

        self.push_screen(CompareOpeningScreen(left, right))

    def rerun(self, path: Path) -> None:
        """Asks whether to run a cell again; shows the rerun that is going on, or has ended since, if there is one."""
        job = self._job
        if job is not None and (job.running or not job.told):
            self._show_job()
            return
        from cabtrace.store.reader import read_header
        from replay.job import rerun_words
        from replay.tui.screens.ask import AskScreen

        try:
            header = read_header(path)
        except CabtraceError as error:
            self.say(str(error))
            return
        answers = (("enter", "run it again", "yes"), ("escape", "leave it", ""))
        window = AskScreen("Run this cell again?", list(rerun_words(header, path, self._store)), answers)
        self.push_screen(window, partial(self._rerun_answered, path))

    def _rerun_answered(self, path: Path, answer: str | None) -> None:
        if answer:
            self._start(path, self._folders.get(path))

    def _task_answered(self, path: Path, folder: str | None) -> None:
        if folder:
            self._folders[path] = Path(folder)
            self._start(path, Path(folder))

    def _start(self, path: Path, task: Path | None) -> None:
        from replay.child import Child
        from replay.job import Job, rerun_argv

        if self._job is not None:
            self._job.child.forget()
        try:
            self._job = Job(Child(rerun_argv(path, self._store, task)), of=path)
        except OSError as error:
            self.say(f"The rerun could not be started: {error.strerror or error}.")
            return
        self._looking = self._looking or self.set_interval(_LOOK_S, self._look_at_job)
        self._show_job()

    def _show_job(self) -> None:
        from replay.tui.screens.ask import JobScreen

        if self._job is not None:
            self.push_screen(JobScreen(self._job), self._job_answered)

    def _job_answered(self, answer: str | None) -> None:
        job = self._job
        if job is None:
            return
        job.told = not job.running
        if answer == "stop":
            job.child.stop()
            self._show_job()
        elif job.of is not None and answer == "task":
            from replay.document import line, words
            from replay.tui.screens.ask import FolderScreen

            what = line(words("The run does not say where its task is; a task is a folder with a task.toml in it."))
            self.push_screen(FolderScreen("Run this cell again?", [what]), partial(self._task_answered, job.of))
        elif job.run is not None and answer == "replay":
            self.push_screen(OpeningScreen(job.run))
        elif job.run is not None and job.of is not None and answer == "compare":
            self.compare(job.of, job.run)

    def _look_at_job(self) -> None:
        from replay.tui.screens.ask import JobScreen

        job = self._job
        if job is None or job.told or isinstance(self.screen, JobScreen):
            return
        was_running = job.running
        if job.poll() and (was_running or job.running):
            self.say(job.sentence())

    def say(self, sentence: str) -> None:
        """A sentence in place of the keys, of the screen below where a window is open that has no such place."""
        say = next((say for screen in reversed(self.screen_stack) if (say := getattr(screen, "say", None))), None)
        if say is not None:
            say(sentence)

    async def action_quit(self) -> None:
        """Q. What still runs may go on without the app, or be stopped."""
        running = self._children()
        if not running:
            self.exit(0)
            return
        from replay.job import leave_words
        from replay.tui.screens.ask import AskScreen

        answers = (("b", "let it go on", "leave"), ("s", "stop it and quit", "stop"), ("escape", "stay here", ""))
        self.push_screen(AskScreen("Quit?", list(leave_words(len(running))), answers), self._quit_answered)

    def _quit_answered(self, answer: str | None) -> None:
        if answer == "stop":
            for child in self._children():
                child.stop()
        if answer:
            self.exit(0)

    def _children(self) -> list[Child]:
        children = [self._watched, self._job.child if self._job else None]
        return [child for child in children if child is not None and child.poll() is None]

    def on_unmount(self) -> None:
        """A rerun that goes on needs no files of ours; what it records is in the store."""
        if self._job is not None:
            self._job.child.forget()
