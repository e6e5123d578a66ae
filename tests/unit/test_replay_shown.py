"""Search of the screen: what was drawn is found however it came there, and at an instant at which it can be seen."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from cabtrace.store.cast import CastEvent
from replay import shown
from replay.engine import PlainEngine
from replay.screen import Screen, TerminalTape
from replay.shown import ShownText
from tests.support.tape import MemorySource

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
from replay.ghostty import GhosttyEngine

SEED = 20_261_124
MS = 1_000_000
SECOND = 10**9
WORDS = ["alpha", "Bravo", "größe", "中文字", "delta42", "e\u0301cho", "foxtrot"]


def tape_of(*output: str | tuple[float, str], columns: int = 40, rows: int = 6) -> TerminalTape:
    """A write each second, or at the time given with it; indexed."""
    events = [CastEvent(*(data[0], "o", data[1]) if isinstance(data, tuple) else (i, "o", data)) for i, data in enumerate(output)]
    return indexed(events, columns, rows)


def indexed(events: Iterable[CastEvent], columns: int = 40, rows: int = 6) -> TerminalTape:
    tape = TerminalTape(MemorySource(events), GhosttyEngine, columns=columns, rows=rows)
    while not tape.index(50):
        pass
    return tape


def found(tape: TerminalTape, query: str) -> list[int]:
    """Seconds of the hits."""
    return [at_ns // SECOND for at_ns, _, _ in tape.find(query)]


def on(screen: Screen) -> str:
    """What can be read, lines that go on in the next row as one."""
    return "".join("".join(run.text for run in row) for row in screen.lines)


def test_a_word_that_was_drawn_by_moving_the_cursor():
    tape = tape_of("\x1b[2;10Hdle", "\x1b[2;7Hnee")
    assert found(tape, "needle") == [1]


def test_a_word_that_was_written_in_pieces_with_colours_between():
    tape = tape_of((0, "mis\x1b[3"), (0.001, "1mmat"), (0.002, "\x1b[0mched"), (0.5, " ty"), (3, "pes\r\n"))
    assert found(tape, "mismatched types") == [3]
    assert found(tape, "31m") == []


def test_a_word_that_went_on_in_the_next_row():
    assert found(tape_of("x" * 37 + "needle"), "needle") == [0]


def test_what_was_overwritten_before_the_next_instant_was_never_seen():
    tape = tape_of((0, "needle"), (0, "\rhaystk"), (1, "\r\nneedl"), (1, "e\r\x1b[K"), (2, "thread"))
    assert found(tape, "needle") == []
    assert found(tape, "haystk") == [0]


def test_what_stays_counts_once_and_what_comes_again_after_much_else_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shown, "_MOST_RECENT", 8)
    tape = tape_of("needle\r\n", "more\r\n", *(f"{i}\r\n" for i in range(40)), "needle\r\n", "\x1b[32mend")
    assert found(tape, "needle") == [0, 42]


def test_lines_that_scroll_by_quickly_are_all_found():
    tape = indexed(CastEvent(i / 1000, "o", f"line {i:04d}!\r\n") for i in range(3_000))
    assert all(found(tape, f"line {i:04d}!") for i in range(3_000))


def test_titles_and_other_payloads_are_not_on_the_screen():
    tape = tape_of("\x1b]0;secret\x07\x1bP1;secret\x1b\\shown", "\x1b]52;c;c2VjcmV0\x1b\\")
    assert (found(tape, "secret"), found(tape, "shown")) == ([], [0])


@pytest.mark.parametrize("on_sequence", ["\x1b[8m", "\x1b[0;008m", "\x1b[38;5;8;8m", "\x1b[1;48;2;8;8;8;8m"])
def test_concealed_text_is_not_on_the_screen(on_sequence: str):
    tape = tape_of("\x1b[38;5;8mgrey\x1b[0m", f" in {on_sequence[:3]}", f"{on_sequence[3:]}sight\x1b[0m of")
    assert (found(tape, "sight"), found(tape, "grey"), found(tape, " of")) == ([], [0], [2])


def test_text_that_is_found_is_harmless():
    tape = tape_of("a\u202eb\u200bc\x7f")
    ((_, text, _),) = tape.find("a")
    assert not any(c in text for c in "\u202e\u200b\x7f\x1b")


def test_case_does_not_count_also_where_letters_have_odd_ones():
    tape = tape_of("STRASSE Größe \u212aelvin \u017fign")
    assert [found(tape, q) for q in ("strasse", "GRÖSSE", "größe", "kelvin", "SIGN", "a.*")] == [[0], [], [0], [0], [0], []]


@pytest.mark.parametrize("make", [GhosttyEngine, PlainEngine])
@pytest.mark.parametrize("seed", range(6))
def test_a_hit_is_an_instant_at_which_the_words_can_be_read(make: type, seed: int):
    rng = random.Random(SEED + seed)
    events, time_s = [], 0.0
    for _ in range(1_500):
        time_s += rng.choice([0, 0, 0.000001, 0.004, 0.02, 0.3])
        piece = rng.choice(
            [
                rng.choice(WORDS),
                rng.choice(WORDS)[: rng.randrange(1, 4)],
                f"\x1b[{rng.randrange(1, 8)};{rng.randrange(1, 38)}H{rng.choice(WORDS)}",
                rng.choice(["\r\n", "\r\n\r\n", "\x1b[2J", "\x1b[K", "\x1b[?1049h", "\x1b[?1049l", "\x1b[L", "\x1b[3M"]),
                rng.choice(["\x1b[31m", "\x1b[0m", "\x1b[38;5;8m", "\x1b[8m"]),
                f"{rng.choice(WORDS)}\r\n",
            ]
        )
        events.append(
            CastEvent(round(time_s, 6), *(("r", rng.choice(["30x5", "40x6"])) if rng.random() < 0.01 else ("o", piece)))
        )
    tape = TerminalTape(MemorySource(events), make, columns=40, rows=6)
    while not tape.index(97):
        pass

    hits = 0
    for word in WORDS:
        for offset_ns, text, match in tape.find(word):
            hits += 1
            assert match[0] in on(tape.at(offset_ns)), (offset_ns, text[match.start() - 20 : match.end()])
    assert hits > 30


def test_it_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shown, "_PIECE_CHARS", 1_000)
    monkeypatch.setattr(shown, "_MOST_CHARS", 5_000)
    text = ShownText()
    for number in range(1_000):
        text.add(number, f"line {number}\n\nsame")
    assert text.full
    assert 300 < len(list(text.find("line"))) < 700
    assert len(list(text.find("same"))) == 1


def test_very_long_lines_are_cut():
    text = ShownText()
    text.add(0, "a" + "\u0301" * 100_000)
    ((_, line, _),) = text.find("a\u0301")
    assert len(line) < 5_000
