"""Keys one after the other in one app, each on a screen of its own: what a key changed, beside what it should have."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textual.screen import Screen

from replay.compare_session import CompareSession
from replay.run_list import RunList
from replay.session import Session
from replay.tui.keys import Key
from replay.tui.screens.compare import CompareScreen
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from replay.tui.widgets.prompt import Prompt
from tests.support.pilot import Driver

MS = 1_000_000
PATIENCE_S = 5.0
Facts = dict[str, Any]
Before = str | Callable[[], object]


@dataclass(frozen=True)
class Effect:
    """After `before`, once facts are as in `ready`, and after `then`, the key makes them as `wanted`.

    A wanted callable is asked (fact before the key, fact after it).
    """

    wanted: Mapping[str, Any]
    before: tuple[Before, ...] = ()
    ready: Mapping[str, Any] = field(default_factory=dict)
    then: tuple[str, ...] = ()


def after(*before: Before, ready: Mapping[str, Any] | None = None, then: tuple[str, ...] = (), **wanted: Any) -> Effect:
    """What the key does once those before it were pressed, and what they ask for is there."""
    return Effect(wanted, before, ready or {}, then)


def same_screen(driver: Driver, base: Screen[Any]) -> Facts:
    """What any screen has: who is on top, what is asked, said and copied."""
    app, top = driver.app, driver.app.screen
    prompt = base.query_one(Prompt) if base.query(Prompt) else None
    return {
        "top": type(top).__name__,
        "ask": prompt._ask.name if prompt is not None and prompt.display else "",
        "clip": app.clipboard,
        "focus": base.focused.id if base.focused is not None else "",
        "text": driver.text(),
    }


def replay_facts(screen: ReplayScreen) -> Facts:
    """The playhead and what goes with it."""
    session: Session = screen.session
    row = session.selected_row
    return {
        "at": session.position_ns // MS,
        "row": row.span.name if row else "",
        "playing": session.clock.playing,
        "speed": session.clock.speed,
        "idle": session.compressing,
        "tab": session.tab.name,
        "zoom": [name for name in screen.classes if name.startswith("-zoom-")],
        "said": session.notice,
        "path": session.path_shown and session.path is not None,
        "rows": len(session.visible),
        "sight": session.window.length_ns,
        "hit": session._hit,
    }


def compare_facts(screen: CompareScreen) -> Facts:
    """Both playheads, and which of them keys move."""
    session: CompareSession = screen.session
    return {
        "at": tuple(position_ns // MS for position_ns in session.positions_ns()),
        "row": session.row,
        "side": session.side,
        "locked": session.locked,
        "playing": session.playing,
        "speed": session.clock.speed,
        "said": session.notice,
        "notes": screen.has_class("-notes"),
    }


def runs_facts(screen: RunsScreen) -> Facts:
    """The list and what is chosen in it."""
    shown = screen.list
    return {
        "chosen": shown.chosen,
        "count": len(shown.all),
        "entries": len(shown.entries),
        "failed_only": shown.failed_only,
        "grouped": shown.failures is not None,
        "marks": len(shown.marks),
    }


def facts(driver: Driver, base: Screen[Any]) -> Facts:
    """All that is known of a screen."""
    if isinstance(base, ReplayScreen):
        own = replay_facts(base)
    elif isinstance(base, CompareScreen):
        own = compare_facts(base)
    else:
        assert isinstance(base, RunsScreen), base
        own = runs_facts(base)
    return {**same_screen(driver, base), **own}


def begin_anew(driver: Driver, base: Screen[Any]) -> None:
    """As if the screen had just been opened: what it holds is made again, what lies over it is closed."""
    while driver.app.screen is not base:
        driver.app.pop_screen()
    if base.query(Prompt):
        base.query_one(Prompt).display = False
    base.set_focus(base.query_one(str(base.AUTO_FOCUS)))
    if isinstance(base, RunsScreen):
        fresh = RunList()
        fresh.take(base.list.all)
        vars(base.list).update(vars(fresh))
        base._draw()
        return
    assert isinstance(base, ReplayScreen | CompareScreen), base
    base.remove_class(*(name for name in base.classes if name.startswith(("-zoom-", "-notes"))))
    session = base.session
    again: Any
    if isinstance(session, Session):
        (session.run.path / "bookmarks.json").unlink(missing_ok=True)
        again = Session(session.run, session.now_ns)
    else:
        again = CompareSession(session.runs, session.compared, lambda: 0)
    vars(session).update(vars(again))
    base.draw()


async def _until(driver: Driver, base: Screen[Any], so: Callable[[Facts], bool]) -> Facts:
    """The facts once they are so, or as they are when it takes too long: a slow machine is no fault of a key."""
    until_s = time.monotonic() + PATIENCE_S
    while not so(now := facts(driver, base)) and time.monotonic() < until_s:
        await driver.settle()
    return now


async def problem(driver: Driver, base: Screen[Any], key: str, effect: Effect) -> str:
    """What is wrong with a key of a screen; "" when it does what it should."""
    begin_anew(driver, base)
    await driver.press(*(step for step in effect.before if isinstance(step, str)))
    for step in effect.before:
        if callable(step):
            step()
    was = await _until(driver, base, lambda now: all(now[name] == value for name, value in effect.ready.items()))
    if effect.then:
        await driver.press(*effect.then)
        was = facts(driver, base)
    await driver.press(key)

    def wrong_in(now: Facts) -> dict[str, Any]:
        return {
            name: (was[name], now[name], wanted)
            for name, wanted in effect.wanted.items()
            if not (wanted(was[name], now[name]) if callable(wanted) else now[name] == wanted)
        }

    now = await _until(driver, base, lambda now: not wrong_in(now))
    wrong = wrong_in(now)
    if not wrong and all(was[name] == now[name] for name in effect.wanted):
        return f"it changed none of {sorted(effect.wanted)}"
    return "; ".join(f"{name} was {before!r}, is {is_!r}, not {wanted!r}" for name, (before, is_, wanted) in wrong.items())


async def walk(driver: Driver, base: Screen[Any], table: Sequence[Key], effects: Mapping[str, Effect]) -> dict[str, str]:
    """What is wrong with each key of a table, by its id and its name; {} when all do what they should."""
    found = {}
    for key in table:
        for name in key.keys.split(","):
            if key.id in effects and (wrong := await problem(driver, base, name, effects[key.id])):
                found[f"{key.id} ({name})"] = wrong
    return found
