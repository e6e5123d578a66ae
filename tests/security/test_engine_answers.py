"""A terminal engine's process that was taken over: nothing that it answers does more than end it, and what it says is made safe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.store.cast import CastEvent
from replay import engine_wire as wire
from replay.engine_answers import EngineEndedError
from replay.engine_host import EngineHost
from replay.engine_remote import RemoteEngine
from replay.screen import TerminalTape, UnknownScreenError
from tests.security.test_engine_streams import HARMFUL
from tests.support.lying_engine import ESCAPE, LEFT, LIES
from tests.support.tape import MemorySource

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")


@pytest.fixture(scope="module")
def host() -> Iterator[EngineHost]:
    host = EngineHost("tests.support.lying_engine")
    yield host
    host.close()


@pytest.mark.parametrize("lie", range(len(LIES)))
def test_a_lie_ends_it_and_is_one_sentence(host: EngineHost, lie: int):
    Path(LEFT).unlink(missing_ok=True)
    engine = RemoteEngine(lie, 1, host=host)
    with pytest.raises(EngineEndedError) as caught:
        engine.screen()
    assert caught.value.reason in ("an answer that is none", "exit code 0")

    tape = TerminalTape(MemorySource([CastEvent(1, "o", "x")]), lambda _c, _r: RemoteEngine(lie, 1, host=host))
    screen = "no screen"
    for _ in range(3):
        try:
            screen = tape.at(10**9).note
        except UnknownScreenError as error:
            screen = str(error)
    assert "terminal engine ended" in screen
    assert not Path(LEFT).exists()


def test_what_it_says_is_made_safe(host: EngineHost):
    engine = RemoteEngine(ESCAPE, 1, host=host)
    ((run,),) = engine.screen()
    assert not HARMFUL.search(run.text)
    assert "\x1b" in engine.text()  # hostile, as any engine's


@given(st.binary(max_size=300))
def test_no_bytes_make_a_screen_that_is_none(payload: bytes):
    try:
        state, rows = wire.decode_screen(payload, [])
    except ValueError:
        return
    assert len(rows) == state.rows


_CELLS = st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats(allow_nan=False), st.booleans()), max_size=6)


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=9), st.lists(st.one_of(st.text(max_size=9), _CELLS), max_size=4)), max_size=4)
)
def test_no_json_makes_a_screen_that_may_not_be_shown(rows: list[object]):
    import orjson

    try:
        packed = orjson.dumps(rows)
    except TypeError:  # surrogates, integers that JSON's writer refuses
        return
    size = wire.encode_state(wire.State(20, max(len(rows), 1), None))
    try:
        state, found = wire.decode_screen(size + packed, [])
    except ValueError:
        return
    assert (state.columns, len(found)) == (20, len(rows))
    for row in found:
        assert len("".join(run.text for run in row)) <= 16 * 20
        assert all(run.foreground is None or 0 <= run.foreground <= 0xFFFFFF for run in row)
        assert not any("\x1b" in run.text for run in row)


@given(st.binary(max_size=12))
def test_no_bytes_make_a_state_that_no_terminal_has(payload: bytes):
    try:
        state = wire.decode_state(payload)
    except ValueError:
        return
    assert 0 < state.columns <= 500
    assert 0 < state.rows <= 300
    assert state.cursor is None or (state.cursor[0] < state.columns and state.cursor[1] < state.rows)
