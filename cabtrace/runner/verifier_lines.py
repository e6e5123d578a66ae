"""The result of each test: from what cargo, pytest, node:test, TAP and unittest print, and from a CTRF file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_NAME_CHARS = 300
_LINE_CHARS = 2_000
_MOST_TESTS = 10_000

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9])")
_CARGO = re.compile(r"test (\S.*?)(?: - should panic)? \.\.\. (ok|FAILED)(?: <[^>]*>)?")
_PYTEST = re.compile(r"([^\s:]+\.py::.+?) (PASSED|FAILED|ERROR|XPASS)(?: +\[ *\d+%\])?")
_PYTEST_SUMMARY = re.compile(r"(PASSED|FAILED|ERROR|XPASS) ([^\s:]+\.py(?:::.+?)?)(?: - .*)?")
_UNITTEST = re.compile(r"(\w+) \(([\w.]+)\) \.\.\. (ok|FAIL|ERROR|unexpected success)")
_UNITTEST_FAILED = re.compile(r"(?:FAIL|ERROR): (\w+) \(([\w.]+)\)(?: .*)?")
_UNITTEST_OPEN = re.compile(r"(\w+) \(([\w.]+)\) \.\.\. ")
_TAP = re.compile(r"( {0,64})(not ok|ok) \d+(?: - | )(.*)")
_TAP_DIRECTIVE = re.compile(r"\s#\s*(skip|todo)\b", re.IGNORECASE)
_TAP_TIME = re.compile(r" # time=.*")
_NODE = re.compile(r"( *)([✔✖]) (.*?)(?: \(\d[\d.]*ms\))?( # .*)?")
_NODE_FAILURES = re.compile(r"✖ failing tests:")


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test; what was skipped is not listed."""

    __test__ = False  # not a test itself, whatever pytest thinks of the name

    name: str
    passed: bool


def parse_test_lines(output: str) -> tuple[TestResult, ...]:
    """The tests that the output names, in the order of their first line; one that failed once has failed."""
    lines = [line[:_LINE_CHARS].rstrip() for line in _ESCAPES.sub("", output).splitlines()]
    parsers: tuple[Callable[[list[str]], Iterable[TestResult]], ...] = (_line_by_line, _tap, _node)
    return _merged(test for parse in parsers for test in parse(lines))


def tests_of_ctrf(report: object) -> tuple[TestResult, ...]:
    """The tests of a report in the Common Test Report Format, as pytest-json-ctrf writes it; () for anything else."""
    results = report.get("results") if isinstance(report, dict) else None
    tests = results.get("tests") if isinstance(results, dict) else None
    return _merged(
        TestResult(str(test.get("name", "")), test["status"] == "passed")
        for test in (tests if isinstance(tests, list) else ())
        if isinstance(test, dict) and test.get("status") in ("passed", "failed")
    )


def _merged(tests: Iterable[TestResult]) -> tuple[TestResult, ...]:
    passed: dict[str, bool] = {}
    for test in tests:
        name = test.name[:_NAME_CHARS]
        if name in passed or len(passed) < _MOST_TESTS:
            passed[name] = passed.get(name, True) and test.passed
    return tuple(TestResult(name, ok) for name, ok in passed.items())


def _line_by_line(lines: list[str]) -> Iterator[TestResult]:
    waiting = ""  # a test of unittest that printed something before its result
    for line in lines:
        if match := _CARGO.fullmatch(line):
            yield TestResult(match[1], match[2] == "ok")
        elif match := _PYTEST.fullmatch(line):
            yield TestResult(match[1], match[2] == "PASSED")
        elif match := _PYTEST_SUMMARY.fullmatch(line):
            yield TestResult(match[2], match[1] == "PASSED")
        elif match := _UNITTEST.fullmatch(line):
            yield TestResult(_unittest_name(match[1], match[2]), match[3] == "ok")
        elif match := _UNITTEST_FAILED.fullmatch(line):
            yield TestResult(_unittest_name(match[1], match[2]), False)
        elif match := _UNITTEST_OPEN.match(line + " "):
            waiting = _unittest_name(match[1], match[2])
        elif waiting and line in ("ok", "FAIL", "ERROR"):
            yield TestResult(waiting, line == "ok")
            waiting = ""


def _unittest_name(method: str, place: str) -> str:
    """Python 3.11 prints the method at the end of the place as well, older ones do not."""
    return place if place.endswith(f".{method}") else f"{place}.{method}"


def _tap(lines: list[str]) -> Iterator[TestResult]:
    """Indented lines are children of the next line that is indented less; it is left out where they explain it."""
    open_results: list[tuple[int, TestResult]] = []
    for line in lines:
        match = _TAP.fullmatch(line)
        if match is None or _TAP_DIRECTIVE.search(match[3]):
            continue
        if len(open_results) >= _MOST_TESTS:
            break
        indent, passed, name = len(match[1]), match[2] == "ok", _TAP_TIME.sub("", match[3])
        children: list[TestResult] = []
        while open_results and open_results[-1][0] > indent:
            children.append(open_results.pop()[1])
        open_results += [
            (indent, TestResult(f"{name} > {child.name}"[:_NAME_CHARS], child.passed)) for child in reversed(children)
        ]
        if passed != all(child.passed for child in children) or not children:
            open_results.append((indent, TestResult(name, passed)))
    return iter([result for _, result in open_results])


def _node(lines: list[str]) -> Iterator[TestResult]:
    """node:test's `spec` reporter; it repeats the failed tests below a heading. Suites count as their tests do."""
    for line in lines:
        if _NODE_FAILURES.match(line):
            return
        match = _NODE.fullmatch(line)
        if match is not None and not match[4]:
            yield TestResult(match[3], match[2] == "✔")
