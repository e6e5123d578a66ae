"""Every exception that a user may meet, each with its exit code. `main()` catches `CabtraceError` and nothing else."""

from __future__ import annotations

EXIT_PASSED = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_HARNESS = 3


class CabtraceError(Exception):
    """One clear sentence: what is wrong and where; `hint` says what to do about it."""

    exit_code = EXIT_HARNESS

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".strip()


class UsageError(CabtraceError):
    """The call's own words are off: a name that does not exist, a file that is not what it should be."""

    exit_code = EXIT_USAGE


class TaskError(UsageError):
    """No such task, or a broken task.toml."""


class UnknownAgentError(UsageError):
    """No agent of that name is installed."""


class NoSuchRunError(UsageError):
    """RUN names nothing, or more than one run."""


class NotARunError(UsageError):
    """A path that holds no readable run."""


class SchemaTooNewError(CabtraceError):
    """A run directory written by a later version; it is left untouched."""


class StoreError(CabtraceError):
    """The store cannot be created, written or locked."""


class SandboxError(CabtraceError):
    """The sandbox cannot be made: no engine, no image, a refused mount."""


class EndpointError(CabtraceError):
    """The model endpoint does not answer, or refuses the key."""


class AgentNotFoundError(CabtraceError):
    """The agent's program is not installed where it should run."""


class ScriptError(UsageError):
    """A model script that cannot be read."""


class VerificationError(CabtraceError):
    """`cabtrace verify` found a file that is not what the manifest says."""

    exit_code = EXIT_FAILED
