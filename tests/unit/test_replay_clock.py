"""The playhead, by an injected clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay.clock import MAX_CATCH_UP_NS, SPEEDS, ReplayClock
from replay.idle import IdleMap, find_idle

MS = 1_000_000
S = 1_000 * MS


class Now:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.ns = 1_000 * S

    def __call__(self) -> int:
        return self.ns

    def frames(self, clock: ReplayClock, count: int, every_ns: int = 33 * MS) -> None:
        for _ in range(count):
            self.ns += every_ns
            clock.tick()


def test_it_plays_pauses_and_plays_on():
    now = Now()
    clock = ReplayClock(10 * S, now)

    assert (clock.position_ns, clock.playing) == (0, False)
    clock.toggle()
    now.ns += 200 * MS
    assert clock.position_ns == 200 * MS
    clock.toggle()
    now.ns += S
    assert clock.position_ns == 200 * MS
    clock.toggle()
    now.ns += 100 * MS
    assert clock.position_ns == 300 * MS


def test_the_position_does_not_depend_on_how_often_it_is_asked():
    now = Now()
    often, seldom = ReplayClock(60 * S, now), ReplayClock(60 * S, now)
    often.set_speed(0.25)
    seldom.set_speed(0.25)
    often.play()
    seldom.play()
    for _ in range(3_333):
        now.ns += 7_777_777
        often.tick()

    assert often.position_ns == seldom.position_ns == int(3_333 * 7_777_777 * 0.25)


def test_a_stall_does_not_leap():
    now = Now()
    clock = ReplayClock(60 * S, now)
    clock.play()
    now.frames(clock, 3)
    before = clock.position_ns
    now.ns += 20 * S

    assert clock.tick() == before + MAX_CATCH_UP_NS
    now.frames(clock, 1)
    assert clock.position_ns == before + MAX_CATCH_UP_NS + 33 * MS


def test_it_stops_at_the_end_and_play_begins_anew():
    now = Now()
    clock = ReplayClock(S, now)
    clock.play()
    now.frames(clock, 40)

    assert (clock.position_ns, clock.playing) == (S, False)
    clock.toggle()
    assert (clock.position_ns, clock.playing) == (0, True)


def test_speed_changes_do_not_move_the_playhead_and_stay_within_bounds():
    now = Now()
    clock = ReplayClock(1000 * S, now)
    clock.play()
    now.ns += S // 10
    for _ in range(12):
        clock.faster()
    assert (clock.speed, clock.position_ns) == (SPEEDS[-1], S // 10)
    now.ns += S // 10
    assert clock.position_ns == S // 10 + 64 * S // 10
    for _ in range(12):
        clock.slower()
    assert clock.speed == SPEEDS[0]


def test_a_step_pauses_and_is_clamped():
    clock = ReplayClock(S, Now())
    clock.play()
    clock.step(100 * MS)
    assert (clock.position_ns, clock.playing) == (100 * MS, False)
    clock.step(-5 * S)
    assert clock.position_ns == 0


def test_following_keeps_to_the_end_until_the_user_does_anything():
    clock = ReplayClock(S, Now(), following=True)
    assert clock.position_ns == S
    clock.extend(3 * S)
    assert clock.position_ns == 3 * S
    clock.toggle()
    clock.extend(5 * S)
    assert (clock.position_ns, clock.following) == (3 * S, False)
    clock.follow()
    assert clock.position_ns == 5 * S
    clock.seek(S)
    assert not clock.following


def test_an_axis_of_no_length_never_plays():
    clock = ReplayClock(0, Now())
    clock.play()
    assert (clock.playing, clock.position_ns) == (False, 0)


def test_idle_stretches_pass_in_their_limit_and_nothing_else_changes():
    idle = find_idle([0, S, 101 * S, 102 * S], limit_ns=2 * S)

    assert idle.stretches == ((S, 101 * S),)
    assert idle.advance(0, S) == S
    assert idle.advance(0, 2 * S) == 51 * S
    assert idle.advance(0, 3 * S) == 101 * S
    assert idle.advance(0, 4 * S) == 102 * S
    assert idle.advance(51 * S, S) == 101 * S
    assert IdleMap().advance(5, 7) == 12


@given(st.lists(st.integers(0, 10**12), max_size=20), st.integers(0, 10**12), st.lists(st.integers(0, 10**11), max_size=5))
def test_idle_time_never_runs_backwards(instants: list[int], start: int, steps: list[int]):
    idle = find_idle(instants, limit_ns=10**9)
    for a, b in zip(sorted(steps), sorted(steps)[1:], strict=False):
        assert start <= idle.advance(start, a) <= idle.advance(start, b)


actions = st.lists(
    st.one_of(
        st.sampled_from(["play", "pause", "toggle", "faster", "slower", "follow", "tick"]).map(lambda name: (name, ())),
        st.integers(-(10**10), 10**11).map(lambda n: ("seek", (n,))),
        st.integers(-(10**10), 10**10).map(lambda n: ("step", (n,))),
        st.integers(0, 10**11).map(lambda n: ("extend", (n,))),
    ),
    max_size=40,
)


@given(actions, st.lists(st.integers(0, 10**9), min_size=40, max_size=40))
def test_whatever_is_done_the_playhead_stays_on_the_axis_and_goes_on_in_time(todo, pauses):
    now = Now()
    clock = ReplayClock(60 * S, now)
    for (name, arguments), pause in zip(todo, pauses, strict=False):
        now.ns += pause
        getattr(clock, name)(*arguments)
        first = clock.position_ns
        now.ns += pause
        assert 0 <= first <= clock.position_ns <= clock.duration_ns
        assert clock.speed in SPEEDS
