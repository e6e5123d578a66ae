"""The theme: what is remembered of it, and what becomes of it where colours are few."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import ColorSystem, ColorType
from rich.color_triplet import ColorTriplet
from textual.color import Color

from replay.document import Tone
from replay.tui.settings import chosen_theme, remember_theme
from replay.tui.themes import DARK, LIGHT, fitted, tone_styles
from tests.support.pilot import Driver, drive

_SYSTEMS = {"256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}


def colors(theme, system):  # type: ignore[no-untyped-def]  # Textual's theme
    made = fitted(theme, system)
    named = ("primary", "secondary", "accent", "success", "warning", "error", "foreground", "background", "surface", "panel")
    return {name: getattr(made, name) for name in named} | dict(made.variables)


def downgraded(color: str, system: str) -> Color:
    rich = Color.parse(color).rich_color.downgrade(_SYSTEMS[system])
    assert rich.type is not ColorType.TRUECOLOR
    triplet: ColorTriplet = rich.get_truecolor()
    return Color(*triplet)


def contrast(one: Color, other: Color) -> float:
    def light(color: Color) -> float:
        parts = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized)
        red, green, blue = parts
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("system", ["256", "standard"])
@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_every_tone_stays_legible_on_every_ground_where_colours_are_few(theme, system: str):
    made = colors(theme, system)
    texts = {
        tone: downgraded(style.color.get_truecolor().hex, system) for tone, style in tone_styles(made).items() if style.color
    }
    for ground in ("background", "panel", "cab-select"):
        for tone, color in texts.items():
            least = 3.0 if tone in (Tone.TEXT, Tone.DIM, Tone.STRONG) else 2.0
            assert contrast(color, downgraded(made[ground], system)) >= least, (ground, tone)


@pytest.mark.parametrize("system", ["256", "standard"])
@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_the_selected_row_is_told_from_others_and_grounds_have_no_hue_that_the_theme_has_not(theme, system: str):
    made = colors(theme, system)
    assert downgraded(made["cab-select"], system) != downgraded(made["background"], system)
    panel = downgraded(made["panel"], system)
    assert max(panel.rgb) - min(panel.rgb) <= 0


@pytest.mark.parametrize("system", [None, "truecolor", "windows"])
def test_elsewhere_the_themes_are_as_they_are(system: str | None):
    assert fitted(DARK, system) == DARK


def test_a_choice_is_kept_beside_what_else_the_file_says(tmp_path: Path):
    path = tmp_path / "new" / "settings.toml"
    assert chosen_theme(path) is None
    assert remember_theme(path, "light")
    assert chosen_theme(path) == "light"
    path.write_text('# mine\nother = 1\ntheme = "light"\n')
    assert remember_theme(path, "dark")
    assert path.read_text() == '# mine\nother = 1\ntheme = "dark"\n'
    assert [entry.name for entry in path.parent.iterdir()] == ["settings.toml"]


@pytest.mark.parametrize("content", ['theme = "pink"', "theme = 1", "[", "\x00", "theme", "[theme]"])
def test_a_file_that_makes_no_sense_is_as_none(tmp_path: Path, content: str):
    path = tmp_path / "settings.toml"
    path.write_text(content)
    assert chosen_theme(path) is None


def test_a_choice_that_cannot_be_kept_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")

    async def script(driver: Driver) -> None:
        driver.app.choose_theme("light")
        await driver.settle()
        assert driver.app.theme == LIGHT.name
        assert "until you quit" in driver.text()

    drive(script, tmp_path, None, settings=tmp_path / "file" / "settings.toml")


def test_what_was_chosen_is_there_again_unless_something_else_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CABTRACE_THEME", raising=False)
    path = tmp_path / "settings.toml"

    async def choose(driver: Driver) -> None:
        driver.app.choose_theme("light")

    async def look(driver: Driver) -> str:
        return driver.app.theme

    drive(choose, tmp_path, None, settings=path)
    assert drive(look, tmp_path, None, settings=path) == LIGHT.name
    assert drive(look, tmp_path, None, settings=path, theme="dark") == DARK.name
    monkeypatch.setenv("CABTRACE_THEME", "dark")
    assert drive(look, tmp_path, None, settings=path) == DARK.name
