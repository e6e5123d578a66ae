"""Which rows of the tree are shown, how far they are indented, and what each of them says: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cabtrace.model import semconv as sc
from replay.indent import crumbs, margins
from replay.outline import Outline
from replay.row_words import columns, most_wish, row_words
from replay.timeline import Timeline
from tests.support.spans import MS, span


def deep_run() -> Timeline:
    """A turn with two calls deep in an agent's spans, an error, and chatter of which a part starts closed."""
    return Timeline(
        [
            span("cell", 0, 100, kind="cell"),
            span("turn", 1, 90, parent="cell"),
            span("load", 2, 5, parent="turn"),
            span("read", 3, 4, parent="load"),
            span("ask", 10, 40, parent="turn"),
            span("call", 11, 39, parent="ask", kind="model_call"),
            span("tool", 50, 80, parent="turn", kind="tool_call"),
            span("exec", 51, 60, parent="tool"),
            span("spawn", 52, 53, parent="exec"),
            span("broken", 85, 86, parent="turn", kind="tool_call", failed=True),
        ]
    )


def names(timeline: Timeline, outline: Outline) -> list[str]:
    return [timeline.row(row).span.span_id for row in outline.visible]


def row_of(timeline: Timeline, span_id: str) -> int:
    return next(row for row in range(len(timeline)) if timeline.row(row).span.span_id == span_id)


def test_chatter_starts_closed_and_what_leads_to_a_step_is_open():
    timeline = deep_run()

    outline = Outline(timeline)
    assert names(timeline, outline) == ["cell", "turn", "load", "ask", "call", "tool", "exec", "broken"]
    assert timeline.inside(row_of(timeline, "load")) == (1, 0)


def test_all_is_closed_and_opened():
    timeline = deep_run()
    outline = Outline(timeline)

    outline.close_all()
    assert names(timeline, outline) == ["cell", "turn"]
    assert outline.shown(row_of(timeline, "call")) == row_of(timeline, "turn")
    outline.toggle(row_of(timeline, "turn"))
    assert names(timeline, outline) == ["cell", "turn", "load", "ask", "tool", "broken"]
    outline.open_all()
    assert len(names(timeline, outline)) == len(timeline)


def test_steps_only():
    timeline = deep_run()
    outline = Outline(timeline)
    everything = names(timeline, outline)

    outline.toggle_steps()
    assert names(timeline, outline) == ["call", "tool", "broken"]
    shown = {name: timeline.row(outline.shown(row_of(timeline, name))).span.span_id for name in ("read", "exec", "turn", "cell")}
    assert shown == {"read": "call", "exec": "tool", "turn": "call", "cell": "call"}
    assert outline.step(0, None, 1) == row_of(timeline, "call")
    assert outline.step(11 * MS, row_of(timeline, "call"), 1) == row_of(timeline, "tool")
    assert outline.step(11 * MS, row_of(timeline, "call"), -1) is None
    assert outline.reveal(row_of(timeline, "call")) is False
    assert outline.steps_only

    assert outline.reveal(row_of(timeline, "spawn"))  # it cannot be shown among steps
    assert not outline.steps_only
    assert "spawn" in names(timeline, outline)
    assert set(everything) < set(names(timeline, outline))


def test_a_run_without_steps_has_none_to_show():
    timeline = Timeline([span("a", 0, 10), span("b", 1, 2, parent="a")])
    outline = Outline(timeline)

    outline.toggle_steps()
    assert list(outline.visible) == []
    assert (outline.shown(1), outline.step(0, 1, 1), outline.place_of(1)) == (1, None, None)


def test_what_was_opened_and_closed_stays_so_as_the_run_grows():
    before = deep_run()
    outline = Outline(before)
    outline.toggle(row_of(before, "load"))
    outline.toggle(row_of(before, "ask"))
    after = Timeline([*before.spans, span("late", 95, 96, parent="turn"), span("later", 96, 97, parent="late")])

    grown = outline.of(after)
    assert names(after, grown) == ["cell", "turn", "load", "read", "ask", "tool", "exec", "broken", "late"]
    outline.toggle_steps()
    assert outline.of(after).steps_only


def test_rows_are_indented_from_the_shallowest_in_sight():
    deep = margins([24, 25, 26, 25], 30)

    assert [deep.text(depth) for depth in (24, 25, 26)] == ["", "  ", "    "]
    assert [margins([24, 25, 26, 30], 9).text(depth) for depth in (24, 25, 26, 30)] == ["", " ", "  ", "   "]


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=60), st.integers(12, 120))
def test_children_are_always_told_from_parents(depths: list[int], room: int):
    found = margins(depths, room)

    texts = {depth: found.text(depth) for depth in depths}
    assert len(set(texts.values())) == len(set(depths))
    assert all(len(text) - len(text.lstrip(" ")) <= room // 3 for text in texts.values() if text.strip())
    assert all(len(text) <= room // 3 for text in texts.values() if not text.strip())
    assert texts[min(depths)] == ""


@pytest.mark.parametrize(
    ("width", "shown"),
    [(40, "cell › adapter › launch › turn › ask"), (30, "… › launch › turn › ask"), (9, "… › ask"), (2, "a…"), (0, "")],
)
def test_crumbs_are_the_nearest_that_have_room(width: int, shown: str):
    assert crumbs(["cell", "adapter", "launch", "turn", "ask"], width) == shown
    assert crumbs([], width) == ""


def test_a_row_says_what_it_hides_and_what_a_call_took():
    call = {
        sc.GEN_AI_INPUT_TOKENS: 1204,
        sc.GEN_AI_OUTPUT_TOKENS: 86,
        sc.GEN_AI_FINISH_REASONS: ("tool_calls",),
        sc.CALL_INDEX: 3,
    }
    cut = {sc.GEN_AI_OUTPUT_TOKENS: 5, sc.GEN_AI_FINISH_REASONS: ("length",)}
    timeline = Timeline(
        [
            span("cell", 0, 100, kind="cell"),
            span("load", 2, 50, parent="cell"),
            *(span(f"read{i}", 3 + i, 4 + i, parent="load", name="stat") for i in range(12)),
            span("call", 60, 70, parent="cell", kind="model_call", name="chat vendor/m", **call),
            span("cut", 80, 90, parent="cell", kind="model_call", name="chat", **cut),
        ]
    )

    def text(span_id: str, *, closed: bool = False, model: str = "", width: int = 60) -> str:
        row = timeline.row(row_of(timeline, span_id))
        made = row_words(timeline, row, closed=closed, flat=False, position_ns=0, model=model)
        return "".join(piece for piece, _ in made.pieces("", width))

    assert text("load", closed=True) == "▸ load +12"
    assert text("load", closed=True, width=7) == "▸ … +12"
    assert text("load") == "▾ load"
    assert text("cell", closed=True) == "▸ cell +15 2 steps"
    assert text("read0", closed=True).startswith("▸ 12 quiet spans stat")
    assert text("call", model="vendor/m") == "◆ chat #3 1,204→86"
    assert text("call", model="m") == "◆ chat #3 vendor/m 1,204→86"
    assert text("cut", model="vendor/m") == "◆ chat ?→5 length"
    assert cell_len(text("call", model="vendor/m", width=12)) <= 12


@given(st.integers(0, 300), st.integers(0, 400))
def test_name_and_waterfall_fill_the_row(width: int, wish: int):
    label, bars = columns(width, wish)

    assert label + bars == max(width - 8, 4)
    assert bars == 0 or 6 <= bars <= label * 2 + 1


def test_the_waterfall_takes_what_most_names_do_not_need():
    timeline = deep_run()
    shown = [
        ("", row_words(timeline, timeline.row(row), closed=False, flat=False, position_ns=0, model=""))
        for row in range(len(timeline))
    ]

    wish = most_wish(shown, 84)
    assert wish < 12
    assert columns(84, wish)[1] > 84 // 2
    assert most_wish([], 84) == 0
