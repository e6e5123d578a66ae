"""A fresh working copy and a cleaned environment on this machine. It isolates nothing, and says so."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from cabtrace.errors import AgentNotFoundError, SandboxError
from cabtrace.limits import DEFAULT, Limits
from cabtrace.protocols import Command, SandboxFacts, SandboxPaths
from cabtrace.runner.sandbox.archive import Identity, pack, unpack
from cabtrace.runner.sandbox.local_process import LocalProcess
from cabtrace.runner.sandbox.owner import OWNER_VARIABLE, RUN_VARIABLE, current_owner
from cabtrace.runner.sandbox.processes import kill_marked
from cabtrace.runner.sandbox.trees import remove_tree

LEFT_OPEN: Final = "no isolation: the agent runs as your user, with your network and files"
IN_CONTAINER: Final = "the container was started by somebody else: what it closes is not known, and its network was not looked at"
_FOLDERS: Final = ("workdir", "home", "tests", "logs", "solution", "tmp")
_LOOPBACK: Final = "127.0.0.1"
_SPOOL_BYTES: Final = 8 * 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024


class LocalSandbox:
    """Implements `cabtrace.protocols.Sandbox`.

    Args:
        scratch: The cell's own folder (`leftovers.claim_scratch`); made where missing, removed by `close`.
        env_marker: The run id, put into every process' environment so that a stray one can be found.
        limits: Caps of what is copied.
        left_open: What is not closed, in words.
        image: The image that this very process runs in, where it is known.
    """

    kind = "local"

    def __init__(
        self, scratch: Path, *, env_marker: str, limits: Limits = DEFAULT, left_open: str = LEFT_OPEN, image: str = ""
    ) -> None:
        self._scratch = scratch.absolute()
        self._run_id = env_marker
        self._limits = limits
        self._left_open, self._image = left_open, image
        self._process: LocalProcess | None = None
        self._opened = False
        self.skipped: list[tuple[str, str]] = []  # (path, reason) of what put and get left out

    def open(self) -> SandboxFacts:
        """Makes the folders. Raises SandboxError where one is there already or cannot be made."""
        existed = self._scratch.exists()
        made: list[Path] = []
        try:
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in _FOLDERS:
                (self._scratch / name).mkdir(mode=0o700)
                made.append(self._scratch / name)
        except OSError as error:
            for folder in made:
                remove_tree(folder)
            if not existed and self._scratch.exists():
                remove_tree(self._scratch)
            raise SandboxError(f"The sandbox folder {error.filename} cannot be made: {error.strerror}.") from error
        self._opened = True
        return SandboxFacts(self._paths(), _LOOPBACK, _LOOPBACK, image=self._image, left_open=(self._left_open,))

    def reopen(self) -> SandboxPaths:
        """Takes up what a killed runner left, of which nothing runs any more then. Raises SandboxError where it is gone."""
        if self._scratch.is_symlink() or not self._scratch.is_dir():
            raise SandboxError("its home is no longer there.", hint="`cabtrace gc` removes it, and it was on one machine only.")
        kill_marked(self._run_id)
        self._opened = True
        return self._paths()

    def release(self) -> None:
        """Lets go of what was reopened; it stays."""
        self._opened = False

    def put(self, source: Path, target: str) -> None:
        """Copies a folder's content in. The verifier's folders are made fresh: nothing that the agent left is in them."""
        self._stop()
        destination = self._inside(target)
        if destination.name in ("tests", "solution", "logs"):
            self._fresh(destination)
            if destination.name == "tests":
                self._fresh(destination.with_name("logs"))
        destination.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._copy(source, destination, overwrite=True)

    def get(self, source: str, target: Path) -> None:
        """Copies a folder's content out."""
        self._stop()
        origin = self._inside(source)
        if origin.is_symlink() or not origin.is_dir():
            self.skipped.append((source, "no folder any more"))
            return
        self._copy(origin, target, overwrite=False)

    def start(self, command: Command) -> LocalProcess:
        """Starts a command after ending what an earlier one left running.

        Raises:
            AgentNotFoundError: There is no such program on PATH.
            SandboxError: It cannot be started.
        """
        self._stop()
        env = self._environment(command)
        cwd = command.cwd
        program = _find(command.argv[0] if command.argv else "", env["PATH"], cwd)
        self._process = LocalProcess(program, command.argv, env, cwd, (command.columns, command.rows), self._run_id)
        return self._process

    def close(self) -> list[str]:
        """Ends every process of the run and removes the folder."""
        if not self._opened:
            return []
        self._stop()
        removed = [f"{count} stray processes"] if (count := kill_marked(self._run_id)) else []
        if os.path.lexists(self._scratch) and remove_tree(self._scratch):
            removed.append(f"folder {self._scratch}")
        self._opened = False
        return removed

    def _paths(self) -> SandboxPaths:
        root = self._scratch.resolve()
        return SandboxPaths(*(str(root / name) for name in _FOLDERS[:5]))

    def _environment(self, command: Command) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "HOME": str(self._scratch.resolve() / "home"),
            "TMPDIR": str(self._scratch.resolve() / "tmp"),
            **command.env,
            RUN_VARIABLE: self._run_id,
            OWNER_VARIABLE: str(current_owner()),
        }

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.close()
            self._process = None

    def _inside(self, path: str) -> Path:
        root = self._scratch.resolve()
        wanted = Path(os.path.normpath(path))
        # The last part is left unresolved: whether it is a link is for the caller to see.
        if not self._opened or not (wanted.parent.resolve() / wanted.name).is_relative_to(root) or wanted == root:
            raise SandboxError(f"{path} is not a folder of this sandbox.")
        return wanted

    def _fresh(self, folder: Path) -> None:
        if os.path.lexists(folder):
            remove_tree(folder)
        folder.mkdir(mode=0o700)

    def _copy(self, source: Path, target: Path, *, overwrite: bool) -> None:
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            self.skipped += pack(source, spool, prefix="/content", identity=Identity(os.getuid(), os.getgid()))
            spool.seek(0)
            done = unpack(_chunks(spool), target, limits=self._limits, overwrite=overwrite)
        self.skipped += done.skipped
        if done.cut_off:
            self.skipped.append((str(target), done.cut_off))


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while data := stream.read(_CHUNK_BYTES):
        yield data


def _find(name: str, path: str, cwd: str) -> str:
    if not Path(cwd).is_dir():
        raise SandboxError(f"The working directory {cwd} does not exist.")
    if not name:
        raise AgentNotFoundError("The command is empty.", hint="Give a program to run after `--`.")
    found = shutil.which(str(Path(cwd, name)) if "/" in name else name, path=path)
    if found is None:
        where = "is no program that can be run" if "/" in name else "is not installed: no folder of PATH has it"
        raise AgentNotFoundError(f"{name} {where}.", hint="Install it, or give its full path.")
    return found
