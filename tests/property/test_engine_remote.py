"""An engine in a process of its own is the same engine: over output of any kind, in any order of questions."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.protocols import ScreenEngine
from replay.engine_remote import RemoteEngine
from tests.support.streams import stream

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
from replay.ghostty import GhosttyEngine

_QUESTIONS: list[Callable[[ScreenEngine], object]] = [
    lambda engine: engine.screen(),
    lambda engine: engine.text(),
    lambda engine: engine.cursor(),
    lambda engine: (engine.columns, engine.rows),
    lambda engine: engine.snapshot(),
]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_it_answers_as_the_engine_here_does(seed: int):
    rng = random.Random(seed)
    size = rng.randrange(1, 260), rng.randrange(1, 100)
    local, remote = GhosttyEngine(*size), RemoteEngine(*size)
    states: list[bytes] = [b""]
    for write in stream(seed):
        for engine in (local, remote):
            if isinstance(write, bytes):
                engine.feed(write)
            else:
                engine.resize(*write)
        if rng.random() < 0.3:
            for ask in rng.choices(_QUESTIONS, k=3):
                assert ask(remote) == ask(local)
        if rng.random() < 0.1:
            states.append(local.snapshot())
        if rng.random() < 0.1:
            state = rng.choice(states)
            for engine in (local, remote):
                engine.restore(state)
    for ask in _QUESTIONS:
        assert ask(remote) == ask(local)
    found: list[str] = []
    for _ in range(40):
        remote.text_later(found.append)
    remote.settle()
    assert found == [local.text()] * 40
