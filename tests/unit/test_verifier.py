"""What tests leave behind becomes a verdict or a named problem, never an exception."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from cabtrace.model.outcome import Cause
from cabtrace.runner.verifier import read_reward, tail_text
from cabtrace.runner.verifier_lines import TestResult, parse_test_lines

CARGO = """
running 5 tests
test tests::bad_input_reports_index_and_value ... ok
test tests::empty ... \x1b[31mFAILED\x1b(B\x1b[m
test tests::bad_input_does_not_panic - should panic ... ok
test tests::slow ... ignored
test src/lib.rs - parse (line 3) ... ok

test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""
PYTEST = """
tests/test_a.py::test_one PASSED                                         [ 25%]
tests/test_a.py::test_two[a b] FAILED                                    [ 50%]
tests/test_a.py::TestX::test_three SKIPPED (why)                         [ 75%]
tests/test_a.py::test_four XFAIL                                         [100%]
\x1b[32mPASSED\x1b[0m tests/test_a.py::test_one
FAILED tests/test_a.py::test_two[a b] - AssertionError: assert 1 == 2
ERROR tests/test_b.py - ImportError: no
"""
UNITTEST = """
test_good (tests.test_totals.Totals.test_good) ... ok
test_old (tests.test_totals.Totals) ... ok
test_bad (tests.test_totals.Totals.test_bad) ... FAIL
test_skip (tests.test_totals.Totals.test_skip) ... skipped 'no'
test_loud (tests.test_totals.Totals.test_loud) ... WARNING:root:x
WARNING:root:y
ok
test_parts (tests.test_totals.Totals.test_parts) ...
  test_parts (tests.test_totals.Totals.test_parts) (text='') ... FAIL

======================================================================
FAIL: test_bad (tests.test_totals.Totals.test_bad)
ERROR: test_crash (tests.test_totals.Totals.test_crash)
FAIL: test_parts (tests.test_totals.Totals.test_parts) (text='')
"""
NODE_TAP = """TAP version 13
# Subtest: adds
ok 1 - adds
  ---
  duration_ms: 0.5
  ...
# Subtest: suite
    # Subtest: inner good
    ok 1 - inner good
    # Subtest: inner bad
    not ok 2 - inner bad
    1..2
not ok 2 - suite
ok 3 - later # SKIP not now
1..3
"""
NODE_SPEC = """✔ adds (0.5ms)
▶ suite
  ✔ inner good (0.2ms)
  ✖ inner bad (1.2ms)
  ﹣ later (0.1ms) # SKIP
▶ suite (3ms)
tests 4

✖ failing tests:

test at x.mjs:1:1
✖ inner bad (1.2ms)
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            CARGO,
            {
                "tests::bad_input_reports_index_and_value": True,
                "tests::empty": False,
                "tests::bad_input_does_not_panic": True,
                "src/lib.rs - parse (line 3)": True,
            },
        ),
        (
            PYTEST,
            {"tests/test_a.py::test_one": True, "tests/test_a.py::test_two[a b]": False, "tests/test_b.py": False},
        ),
        (
            UNITTEST,
            {
                "tests.test_totals.Totals.test_good": True,
                "tests.test_totals.Totals.test_old": True,
                "tests.test_totals.Totals.test_bad": False,
                "tests.test_totals.Totals.test_crash": False,
                "tests.test_totals.Totals.test_loud": True,
                "tests.test_totals.Totals.test_parts": False,
            },
        ),
        (NODE_TAP, {"adds": True, "suite > inner good": True, "suite > inner bad": False}),
        (NODE_SPEC, {"adds": True, "inner good": True, "inner bad": False}),
        ("1..2\nok 1 first\nnot ok 2 - second # time=3ms\n", {"first": True, "second": False}),
        ("nothing of the kind\n", {}),
    ],
    ids=["cargo", "pytest", "unittest", "node-tap", "node-spec", "tap", "none"],
)
def test_lines_of_each_runner(output: str, expected: dict[str, bool]) -> None:
    assert {test.name: test.passed for test in parse_test_lines(output)} == expected


def test_a_test_that_failed_once_has_failed() -> None:
    assert parse_test_lines("test a ... ok\ntest a ... FAILED\ntest a ... ok\n") == (TestResult("a", False),)


def test_random_output_never_raises_and_long_lines_are_quick() -> None:
    pick = random.Random(7)
    words = [
        "test ",
        "ok",
        "not ok 1",
        " ... ",
        "FAILED",
        "✔",
        "::",
        ".py",
        "(",
        ")",
        "\n",
        "    ",
        "\x1b[",
        "# SKIP",
        "x",
    ]
    for _ in range(500):
        parse_test_lines("".join(pick.choices(words, k=60)))
    parse_test_lines("test " + " ... " * 200_000)
    assert len(parse_test_lines("".join(f"{'    ' * (n % 9)}ok 1 - {n}\n" for n in range(40_000)))) <= 10_000
    parse_test_lines(("a.py::" * 300 + "\n") * 500)


def test_the_exit_code_decides_where_no_reward_was_left(tmp_path: Path) -> None:
    passed, failed = read_reward(tmp_path, 0), read_reward(tmp_path, 1)

    assert (passed.passed, passed.reward, passed.source, passed.problem) == (True, None, "exit_code", None)
    assert (failed.passed, failed.problem) == (False, None)
    assert read_reward(tmp_path / "missing", 0).passed is True


@pytest.mark.parametrize(
    ("text", "exit_code", "passed", "reward"),
    [("1", 1, True, 1.0), ("0\n", 0, False, 0.0), (" 0.25 ", 0, False, 0.25), ("-1", 0, False, -1.0)],
)
def test_reward_txt_decides_over_the_exit_code(tmp_path: Path, text: str, exit_code: int, passed: bool, reward: float) -> None:
    (tmp_path / "reward.txt").write_text(text)

    found = read_reward(tmp_path, exit_code)

    assert (found.passed, found.reward, found.source) == (passed, reward, "reward.txt")


@pytest.mark.parametrize(
    ("text", "reward"),
    [("1", 1.0), ('{"reward": 0.5, "speed": 1}', 0.5), ('{"a": 1, "b": 0}', 0.5), ('{"a": 1}', 1.0)],
)
def test_reward_json_goes_first(tmp_path: Path, text: str, reward: float) -> None:
    (tmp_path / "reward.json").write_text(text)
    (tmp_path / "reward.txt").write_text("0.75")

    found = read_reward(tmp_path, 0)

    assert (found.reward, found.passed, found.source) == (reward, reward == 1.0, "reward.json")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("reward.txt", b"", "empty"),
        ("reward.txt", b"passed", "not a number"),
        ("reward.txt", b"nan", "not finite"),
        ("reward.txt", b"inf", "not finite"),
        ("reward.txt", b"\xff\xfe", "not UTF-8"),
        ("reward.txt", b"1" * 100_000, "longer than"),
        ("reward.json", b"{", "not JSON (line 1)"),
        ("reward.json", b"{}", "no number"),
        ("reward.json", b'{"reward": "1"}', "reward is not a number"),
        ("reward.json", b"null", "not a number"),
        ("reward.json", b"NaN", "not finite"),
        ("reward.json", b'{"reward": 1, "a": [1]}', "a is not a number"),
        ("reward.json", b"[" * 5_000, "reward.json"),
        ("reward.json", b"1" + b"0" * 400, "reward.json"),
    ],
)
def test_a_reward_that_cannot_be_read_is_a_problem_in_words(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)

    found = read_reward(tmp_path, 0)

    assert (found.passed, found.reward) == (None, None)
    assert found.problem is not None
    assert found.problem.cause is Cause.VERIFIER_FAILED
    assert name in found.problem.message
    assert why in found.problem.message
    assert found.to_record(0)["problem"] == found.problem.message


def test_a_reward_that_is_no_regular_file_is_a_problem(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("1")
    logs = tmp_path / "logs"
    logs.mkdir()
    for make in (
        lambda path: path.symlink_to(secret),
        os.mkfifo,
        lambda path: path.mkdir(),
    ):
        path = logs / "reward.txt"
        make(path)
        assert read_reward(logs, 0).problem is not None
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.mark.parametrize("exit_code", [None, 126, 127])
def test_tests_that_could_not_run_say_nothing_of_the_agent(tmp_path: Path, exit_code: int | None) -> None:
    found = read_reward(tmp_path, exit_code)

    assert found.passed is None
    assert found.problem is not None


def test_tests_that_ran_out_of_time_failed(tmp_path: Path) -> None:
    assert read_reward(tmp_path, None, timed_out=True).passed is False


def test_a_ctrf_report_names_the_tests(tmp_path: Path) -> None:
    (tmp_path / "ctrf.json").write_text(
        '{"results": {"tests": [{"name": "a", "status": "passed"}, {"name": "b", "status": "failed"},'
        ' {"name": "c", "status": "skipped"}, 3]}}'
    )
    assert read_reward(tmp_path, 0).tests == (TestResult("a", True), TestResult("b", False))
    for broken in ("[", '{"results": 3}', '{"results": {"tests": {"a": 1}}}'):
        (tmp_path / "ctrf.json").write_text(broken)
        assert read_reward(tmp_path, 0, output=b"test x ... ok").tests == (TestResult("x", True),)


def test_the_record_keeps_tails_and_cuts_no_character() -> None:
    data = ("ä" * 5_000).encode()

    assert tail_text(data, 4_095) == "ä" * 2_047
    assert tail_text(b"abc", 10) == "abc"
    assert tail_text(b"", 10) == ""
    assert tail_text(b"\x80\x80", 1) == ""


def test_the_record_has_the_agreed_keys(tmp_path: Path) -> None:
    record = read_reward(tmp_path, 1, output=CARGO.encode()).to_record(1, stdout=CARGO.encode(), stderr=b"warn")

    assert list(record) == [
        *("exit_code", "timed_out", "stdout_tail", "stderr_tail", "reward", "passed", "source", "problem", "tests"),
    ]
    assert record["stdout_tail"] == CARGO
    assert {"name": "tests::empty", "passed": False} in record["tests"]
