"""`cabtrace screenshot` and the places that `cabtrace replay` takes, from the command line."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cabtrace.cli.main import main
from replay.tui.themes import DARK, LIGHT
from tests.support.hostile_run import build_hostile_run
from tests.support.sample_run import build_sample_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


def shown(svg: str) -> str:
    """The text of a picture."""
    ET.fromstring(svg)
    return html.unescape("".join(ET.fromstring(svg).itertext())).replace("\xa0", " ")


def test_a_picture_of_a_moment_is_written(tmp_path: Path, run: Path):
    target = tmp_path / "x.svg"
    assert main(["screenshot", str(run), "--error", "--panel", "why", "-o", str(target)]) == 0
    text = shown(target.read_text("utf-8"))
    assert "00:20.901 / 00:48.263" in text
    assert "mismatched types" in text
    assert "Cause" in text


def test_it_goes_to_standard_output_in_the_size_asked_for(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["screenshot", str(run), "--at", "12.3s", "--size", "200x50", "--light"]) == 0
    assert "00:12.300" in shown(capsys.readouterr().out)


@pytest.mark.parametrize("light", [[], ["--light"]], ids=["dark", "light"])
def test_a_picture_refers_to_nothing_outside_and_its_frame_has_the_themes_colours(
    run: Path, light: list[str], capsys: pytest.CaptureFixture[str]
):
    assert main(["screenshot", str(run), *light]) == 0
    svg = capsys.readouterr().out
    root = ET.fromstring(svg)

    assert "url(http" not in svg
    assert "@font-face" not in svg
    assert "//" not in svg.replace(root.tag[1:].split("}")[0], "").split("</style>")[0]  # but for the namespace's name
    families = re.findall("font-family:([^;]*);", svg)
    assert len(families) == 2  # the screen's and the title's
    assert all(family.endswith(" monospace") for family in families)
    theme = LIGHT if light else DARK
    assert f'<rect fill="{theme.panel}"' in svg.lower()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "9x9"], "no size"),
        (["--size", "9999999x3"], "no size"),
        (["--at", "99s"], "after its end"),
        (["--at", "noon"], "is no time"),
        (["--at", "1s", "--call", "2"], "each name a place"),
        (["--span", "ffff"], "begins with ffff"),
        (["-o", "/no/such/folder/x.svg"], "No such file"),
    ],
)
def test_what_is_wrong_is_one_sentence(run: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert main(["screenshot", str(run), *words]) != 0
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_hostile_run_makes_a_picture_that_is_still_xml_without_payloads(tmp_path: Path):
    target = tmp_path / "x.svg"
    for first in (0, 29, 58):
        run, _ = build_hostile_run(tmp_path, first)
        for panel in ("span", "messages", "logs", "why"):
            assert main(["screenshot", str(run), "--at", "50%", "--panel", panel, "-o", str(target)]) == 0
            svg = target.read_text("utf-8")
            ET.fromstring(svg)
            assert "\x1b" not in svg
            assert "<script" not in svg.lower()


def test_the_story_of_a_pipe_marks_the_place(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["replay", str(run), "--call", "3"]) == 0
    assert "00:15.751  ◀ here" in capsys.readouterr().out
    assert main(["replay", str(run), "--span", "zz"]) == 2
    assert main(["replay", "--error"]) == 2
    assert main(["replay", str(run), "--follow"]) == 2
    assert main(["replay", str(run), "--follow", "--error"]) == 2


def test_opening_loads_neither_pydantic_nor_docker_nor_opentelemetry_before_the_first_frame():
    import subprocess
    import sys

    code = "import cabtrace.cli.main, cabtrace.cli.replay, replay.tui.app, sys; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"pydantic", "docker", "opentelemetry", "aiohttp", "sqlite3", "pyghostty", "cabtrace.store.reader"}
