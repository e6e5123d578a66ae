"""A defect of cabtrace's own: told with its traceback, harmless, and with the exit code that says that nothing is known."""

from __future__ import annotations

import sys
from types import ModuleType

import click
import pytest

from cabtrace.cli.main import COMMANDS, main
from cabtrace.errors import EXIT_HARNESS


def test_an_exception_that_nobody_expected_is_told_and_harmless(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    @click.command("broken")
    def broken() -> None:
        raise ZeroDivisionError("quoted \x1b]52;c;aGk=\x07 from a recording\u202e")

    module = ModuleType("cabtrace.cli.broken")
    module.command = broken  # type: ignore[attr-defined]  # what every command's module has
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(COMMANDS, "broken", ("broken", "Fails."))

    assert main(["broken"]) == EXIT_HARNESS

    told = capsys.readouterr().err
    assert "test_cli_defect.py" in told, "where it happened"
    assert "\x1b" not in told
    assert "\u202e" not in told
    last = told.splitlines()[-1]
    assert last.startswith("cabtrace: ZeroDivisionError: this is a defect of cabtrace")
    assert "report" in last
