"""What the tests left behind, read without trust: exit code, reward.json, reward.txt, and a line for each test."""

from __future__ import annotations

import json
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabtrace.limits import DEFAULT
from cabtrace.model.outcome import Cause
from cabtrace.runner.verifier_lines import TestResult, parse_test_lines, tests_of_ctrf

_REWARD_BYTES = 64 * 1024
_OUTPUT_BYTES = 4 * 1024 * 1024
_CTRF_BYTES = 8 * 1024 * 1024
_PASSING_REWARD = 1.0
_CANNOT_RUN = {
    126: "test.sh, or a program that it ran last, may not be executed",
    127: "a program that it needs is missing",
}


@dataclass(frozen=True, slots=True)
class VerifierProblem:
    """Why nothing is known of the agent's work: one sentence."""

    message: str
    cause: Cause = Cause.VERIFIER_FAILED


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict of the tests. `passed` is None, and `problem` says why, where they gave none.

    `source` is what decided: `reward.json`, `reward.txt` or `exit_code`. `tests` is for reading: the agent's own code
    can print such lines too, so they never decide.
    """

    passed: bool | None
    reward: float | None
    source: str
    tests: tuple[TestResult, ...] = ()
    problem: VerifierProblem | None = None

    def to_record(
        self, exit_code: int | None, *, timed_out: bool = False, stdout: bytes = b"", stderr: bytes = b""
    ) -> dict[str, Any]:
        """The content of verifier.json."""
        return {
            "exit_code": exit_code,
            "timed_out": timed_out,
            "stdout_tail": tail_text(stdout),
            "stderr_tail": tail_text(stderr),
            "reward": self.reward,
            "passed": self.passed,
            "source": self.source,
            "problem": None if self.problem is None else self.problem.message,
            "tests": [{"name": test.name, "passed": test.passed} for test in self.tests],
        }


def read_reward(logs_dir: Path, exit_code: int | None, *, timed_out: bool = False, output: bytes = b"") -> Verification:
    """The verdict, from the verifier's log folder and exit code (None: it did not run to its end).

    A reward of at least 1 passes, and decides over the exit code. Of a reward.json with several numbers, `reward`
    counts, else their mean. `output` is stdout and stderr of the tests. Whatever is wrong becomes `problem`, never an
    exception.
    """
    tests = _ctrf(logs_dir / "ctrf.json") or parse_test_lines(output[-_OUTPUT_BYTES:].decode("utf-8", "replace"))
    for name, parse in (("reward.json", _json_reward), ("reward.txt", float)):
        try:
            content = _read(logs_dir / name, _REWARD_BYTES)
            if content is None:
                continue
            reward = parse(content)
            if not math.isfinite(reward):
                raise ValueError("its number is not finite")
        except (ValueError, RecursionError, OverflowError, OSError) as error:
            return Verification(None, None, name, tests, VerifierProblem(_unreadable(name, error)))
        return Verification(reward >= _PASSING_REWARD, reward, name, tests)
    if timed_out:
        return Verification(False, None, "exit_code", tests)
    if exit_code is None:
        return Verification(None, None, "exit_code", tests, VerifierProblem("The tests did not run to their end."))
    if exit_code in _CANNOT_RUN:
        why = f"The tests could not be run: {_CANNOT_RUN[exit_code]} (exit code {exit_code})."
        return Verification(None, None, "exit_code", tests, VerifierProblem(why))
    return Verification(exit_code == 0, None, "exit_code", tests)


def tail_text(data: bytes, most_bytes: int = DEFAULT.output_tail_bytes) -> str:
    """The end of some output as text; a character cut in two is left out."""
    cut = data[-most_bytes:] if most_bytes else b""
    if len(cut) < len(data):
        while cut and cut[0] & 0xC0 == 0x80:
            cut = cut[1:]
    return cut.decode("utf-8", "replace")


def _read(path: Path, most_bytes: int) -> str | None:
    """The text of a regular file; None where there is none. The tests ran beside the agent's work: trust no link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it is longer than {most_bytes} bytes")
    text = content.decode("utf-8-sig")
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _json_reward(text: str) -> float:
    value = json.loads(text)
    if isinstance(value, dict):
        if not value:
            raise ValueError("it holds no number")
        numbers = {key: _number(key, number) for key, number in value.items()}
        return numbers["reward"] if "reward" in numbers else sum(numbers.values()) / len(numbers)
    return _number("it", value)


def _number(key: str, value: object) -> float:
    if not isinstance(value, int | float):
        raise ValueError(f"{key[:100]} is not a number")
    return float(value)


def _unreadable(name: str, error: Exception) -> str:
    if isinstance(error, OSError):
        why = error.strerror or "it cannot be read"
    elif isinstance(error, json.JSONDecodeError):
        why = f"it is not JSON (line {error.lineno})"
    elif isinstance(error, UnicodeDecodeError):
        why = "it is not UTF-8"
    elif str(error).startswith("could not convert"):
        why = "it is not a number"
    else:
        why = str(error)
    return f"The tests left a {name} that cannot be used: {why}."


def _ctrf(path: Path) -> tuple[TestResult, ...]:
    try:
        content = _read(path, _CTRF_BYTES)
        return () if content is None else tests_of_ctrf(json.loads(content))
    except (OSError, ValueError, RecursionError):
        return ()
