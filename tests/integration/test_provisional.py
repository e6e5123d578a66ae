"""A provisional run says so on every surface that shows it; a surface that is new here must say which kind it is."""

from __future__ import annotations

import contextlib
import html
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from cabtrace.cli.export import ExportGroup
from cabtrace.cli.main import COMMANDS, main
from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.store.reader import RunView
from exporters.registry import exporter_names, find_exporter
from replay.tui.widgets.bars import HeaderBar
from tests.support.cells import BREAK, DONE, MEND, Cells, says
from tests.support.otlp_receiver import Receiver
from tests.support.pilot import Driver, drive

# command -> its words with {failed}, {passed}, {out} for what is there
SHOWING: Mapping[str, str] = {
    "ls": "ls",
    "show": "show {failed}",
    "replay": "replay --plain {failed}",
    "screenshot": "screenshot {failed} -o {out}",
    "why": "why {failed}",
    "diff": "diff {failed} {passed}",
    "triage": "triage",
    "rerun": "rerun {passed} --task {task}",
}
AS_JSON = ("ls", "show", "why", "diff", "triage", "rerun")
NOT_SHOWING: Mapping[str, str] = {
    "run": "makes runs that are none",
    "run-cell": "makes runs that are none",
    "record": "makes runs that are none",
    "import": "makes runs that are none",
    "demo": "makes runs that are none",
    "check": "prints what `run` prints; test_check.py holds it",
    "export": "by format and by OTLP, below",
    "image": "shows no run",
    "outbox": "lists transfers, not results",
    "verify": "says whether files are whole, not how the cell did",
    "recover": "says whether files are whole, not how the cell did",
    "gc": "shows no run",
    "doctor": "shows no run",
    "model": "shows no run",
    "completion": "shows no run",
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Cells:
    return Cells(tmp_path_factory.mktemp("provisional"))


@pytest.fixture(scope="module")
def runs(cells: Cells) -> dict[str, str]:
    failed = cells.scripted(BREAK, says(DONE), provisional=True)
    passed = cells.scripted(MEND, says(DONE), provisional=True)
    return {"failed": str(failed), "passed": str(passed), "task": str(cells.task())}


def told(cells: Cells, command: str) -> str:
    """What the command line prints, and the file that it writes."""
    target = cells.folder / "picture.svg"
    words = [word.replace("{out}", str(target)) for word in command.split()]
    held = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    with contextlib.redirect_stdout(held):
        code = main([*words, "--store", str(cells.store)])
    assert code in (0, 1), command
    held.seek(0)
    text = held.read()
    if "{out}" in command:
        text += html.unescape(re.sub("<[^>]*>", "", target.read_text("utf-8"))).replace("\xa0", " ")
    return text


def test_every_command_is_known_to_show_runs_or_not() -> None:
    assert sorted([*SHOWING, *NOT_SHOWING]) == sorted(COMMANDS)


def test_every_way_to_export_is_below() -> None:
    assert set(ExportGroup("export").list_commands(click.Context(ExportGroup("export")))) == {
        *exporter_names(),
        "otlp",
        "verify",  # of a transfer, not of how the cell did
    }


@pytest.mark.parametrize("name", SHOWING)
def test_a_command_says_so(name: str, cells: Cells, runs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CABTRACE_SCRATCH", str(cells.folder / "scratch"))

    assert PROVISIONAL_NOTE in told(cells, SHOWING[name].format(**runs, out="{out}"))


@pytest.mark.parametrize("name", AS_JSON)
def test_a_command_says_so_to_programs(name: str, cells: Cells, runs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CABTRACE_SCRATCH", str(cells.folder / "scratch"))

    text = told(cells, f"{SHOWING[name].format(**runs)} --json")
    json.loads(text)
    assert '"provisional": true' in text
    assert '"provisional": false' not in text


@pytest.mark.parametrize("name", exporter_names({"CABTRACE_PLUGINS": ""}))
def test_an_exported_file_says_so(name: str, runs: dict[str, str]) -> None:
    if name == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    out = io.BytesIO()

    find_exporter(name).export(RunView(Path(runs["failed"])), out)

    if name == "parquet":
        assert set(parquet.read_table(out).column("provisional").to_pylist()) == {True}
        return
    text = out.getvalue().decode()
    assert PROVISIONAL_NOTE in text.replace("\\u2014", "\N{EM DASH}"), name


def test_every_exported_span_says_so(cells: Cells, runs: dict[str, str]) -> None:
    with Receiver() as receiver:
        text = told(cells, f"export otlp {runs['failed']} --endpoint {receiver.url}")

    assert PROVISIONAL_NOTE in text
    marks = [{a.key: a.value.string_value for a in r.attributes}.get("cabtrace.provisional") for r in receiver.resources]
    assert set(marks) == {PROVISIONAL_NOTE}


def test_the_list_and_the_opening_screen_say_so(cells: Cells, runs: dict[str, str]) -> None:
    async def look(driver: Driver) -> str:
        return driver.text()

    said = drive(look, cells.store, None, size=(160, 40))
    opening = HeaderBar()
    opening.show_raw(json.loads(Path(runs["failed"], "run.json").read_text("utf-8")))

    assert PROVISIONAL_NOTE in said
    assert re.search("FAIL \\*", said)
    assert re.search("PASS \\*", said)
    assert any(PROVISIONAL_NOTE in text for text, _ in opening._right)


def test_a_run_that_is_not_provisional_says_nothing_of_it(cells: Cells, tmp_path: Path) -> None:
    run = RunView(Cells(tmp_path).scripted(MEND, says(DONE)))

    for name in set(exporter_names({"CABTRACE_PLUGINS": ""})) - {"parquet"}:
        out = io.BytesIO()
        find_exporter(name).export(run, out)
        assert b"rovisional \xe2" not in out.getvalue(), name
    assert run.header.title == f"{run.header.cell_id} #1"
