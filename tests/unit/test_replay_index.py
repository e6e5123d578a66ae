"""The index of a large run's spans: used when it matches, made anew when it does not, and never believed further than it must be."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from cabtrace.store.index import load_part, save_part
from cabtrace.store.layout import INDEX, OPEN, TRACE
from cabtrace.store.span_scan import SpanScan
from replay import loading
from replay.panels.choose import panel_lines
from replay.run import ReplayRun
from replay.search import search
from replay.session import Session, Tab
from replay.sources import spoken
from tests.support.pilot import Driver, drive
from tests.support.sample_run import START_NS, build_sample_run, write_span
from tests.support.spans import span

MS = 1_000_000


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_KEEP_FROM", 10)
    monkeypatch.setattr(loading, "_LARGE_BYTES", 1)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The runs that were read from their files."""
    seen: list[Path] = []
    refresh = SpanScan.refresh

    def noted(self: SpanScan, **options: object) -> bool:
        seen.append(self._dir)
        return refresh(self, **options)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(SpanScan, "refresh", noted)
    return seen


def told(path: Path) -> list[object]:
    """What the replay says of a run."""
    run = ReplayRun(path)
    timeline, snapshot = run.snapshot.timeline, run.snapshot
    session = Session(run, lambda: 0)
    told: list[object] = [[timeline.row(i) for i in range(len(timeline))], list(timeline.markers), list(snapshot.calls)]
    told += [snapshot.warnings, timeline.start_ns, timeline.end_ns, list(session.visible)]
    session.seek_share(0.4)
    for tab in Tab:
        session.tab = tab
        told.append([line.text for line in panel_lines(session, 100)])
    return told


def spans_part(path: Path) -> tuple[str, dict[str, bytes]]:
    sources = loading.SpanLoader(path)._sources(START_NS, _terminal_ns(path))
    blobs = load_part(path, loading.PART, sources)
    assert blobs is not None
    return sources, blobs


def _terminal_ns(path: Path) -> int:
    return int(ReplayRun(path)._view.terminal_log().last_time_s * 1e9)


def test_a_run_looks_the_same_with_and_without_its_index(run: Path, scans: list[Path]):
    first = told(run)
    assert (run / INDEX).exists()
    assert scans == [run]
    assert told(run) == first
    assert scans == [run]
    (run / INDEX).unlink()
    assert told(run) == first
    assert scans == [run, run]


def test_the_screen_is_the_same_with_and_without_its_index(run: Path, scans: list[Path]):
    async def screens(driver: Driver) -> list[str]:
        shown = []
        for key in ("home", "5", "end"):
            await driver.press(key)
            shown.append(driver.text())
        return shown

    first = drive(screens, run.parent, run)
    assert len(set(first)) == 3
    assert drive(screens, run.parent, run) == first
    assert scans == [run]
    (run / INDEX).unlink()
    assert drive(screens, run.parent, run) == first
    assert scans == [run, run]


@pytest.mark.parametrize("change", ["append", "truncate", "touch", "open", "replace"])
def test_an_index_of_other_files_is_made_anew(run: Path, scans: list[Path], change: str):
    before = told(run)
    trace = run / TRACE
    data = trace.read_bytes()
    if change == "append":
        with trace.open("ab") as out:
            out.write(data.split(b"\n")[3].replace(b'"spanId":"', b'"spanId":"e') + b"\n")
    elif change == "truncate":
        trace.write_bytes(data[:-200])
    elif change == "touch":
        os.utime(trace, ns=(1, 1))
    elif change == "open":
        (run / OPEN).write_bytes(data.split(b"\n")[0].replace(b'"spanId":"0', b'"spanId":"f') + b"\n")
    else:
        (run / "other").write_bytes(data.replace(b"SELECT", b"UPDATE"))
        (run / "other").replace(trace)

    after = told(run)

    assert len(scans) == 2
    assert (after == before) == (change == "touch")
    assert told(run) == after
    assert len(scans) == 2


def test_a_run_that_cannot_be_written_is_opened_without_keeping_anything(run: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.open

    def read_only(path: str, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(30, "Read-only file system")
        return real(path, flags, *more)

    monkeypatch.setattr("cabtrace.store.index.os.open", read_only)  # root may write whatever modes say
    first = told(run)
    assert not (run / INDEX).exists()
    assert told(run) == first


@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_in_an_index_neither_crash_nor_hang(run: Path, seed: int):
    told(run)
    sources, blobs = spans_part(run)
    dice = random.Random(seed)
    for name in dice.sample(sorted(blobs), dice.randint(1, 6)):
        if name == "summary":
            continue
        data = bytearray(blobs[name])
        for at in range(0, len(data), 4):
            if dice.random() < 0.5:
                data[at : at + 4] = dice.choice([b"\xff" * 4, b"\0" * 4, b"\x7f" * 4, dice.randbytes(4)])[: len(data) - at]
        blobs[name] = bytes(data)
    assert save_part(run, loading.PART, sources, blobs)

    replay = ReplayRun(run)
    session = Session(replay, lambda: 0)
    for _ in range(60):
        action = dice.choice([session.step_span, session.jump_error, session.jump_marker, session.move_selection])
        action(dice.choice([1, -1]))
        session.select(dice.choice(session.visible))
        session.set_folded(folded=dice.random() < 0.5)
        session.seek_share(dice.random())
    for tab in Tab:
        session.tab = tab
        panel_lines(session, 80)
    search("e", replay.snapshot.timeline, spoken(replay, replay.snapshot, "e"))
    session.toggle_idle()


@pytest.mark.parametrize("damage", ["short", "uneven", "no summary", "empty", "list"])
def test_an_index_of_the_wrong_shape_is_made_anew(run: Path, scans: list[Path], damage: str):
    first = told(run)
    sources, blobs = spans_part(run)
    scans.clear()
    if damage == "short":
        blobs["row_span"] = blobs["row_span"][:-4]
    elif damage == "uneven":
        blobs["row_start"] = blobs["row_start"][:-3]
    elif damage == "no summary":
        del blobs["summary"]
    elif damage == "empty":
        blobs = dict.fromkeys(blobs, b"") | {"summary": blobs["summary"]}
    else:
        blobs["summary"] = b'["start_ns"]'
    save_part(run, loading.PART, sources, blobs)

    again = told(run)

    if damage != "empty":  # which is the index of a run without spans, as far as anyone can tell
        assert again == first
        assert scans


def test_an_index_that_cannot_be_read_back_is_done_without(run: Path, scans: list[Path], monkeypatch: pytest.MonkeyPatch):
    first = told(run)
    (run / INDEX).unlink()
    monkeypatch.setattr("cabtrace.store.index.load_part", lambda *_: None)
    assert told(run) == first
    assert len(scans) == 3


def test_a_small_run_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    path = build_sample_run(tmp_path)
    ReplayRun(path)
    assert not (path / INDEX).exists()


def test_opening_shows_how_far_it_is_and_ends_when_it_is_told_to(run: Path):
    shares: list[float] = []
    ReplayRun(run, progress=shares.append)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    (run / INDEX).unlink()
    with pytest.raises(KeyboardInterrupt):
        ReplayRun(run, progress=stop)


def test_records_that_vanish_after_opening_leave_a_row_that_says_so(run: Path):
    replay = ReplayRun(run)
    (run / TRACE).write_bytes(b"x" * 100_000)
    timeline = replay.snapshot.timeline
    assert {timeline.row(i).span.name for i in range(len(timeline))} == {"(its record cannot be read any more)"}


def test_every_late_span_of_a_run_that_grows_is_shown(tmp_path: Path):
    from tests.unit.test_replay_live import Recording

    recording = Recording(tmp_path)
    replay = ReplayRun(recording.path)
    session = Session(replay, lambda: 0)
    for batch in range(20):
        for i in range(50):
            record = span(f"{batch * 50 + i + 16:016x}", batch * 50 + i, batch * 50 + i + 3, parent="f" * 16)
            write_span(recording.writer, record)
        assert replay.refresh()
        session.refresh()
        assert len(replay.snapshot.timeline.spans) == 1 + 50 * (batch + 1)
        assert not replay.refresh()
    recording.writer.close()
    assert replay.refresh()
    assert len(replay.snapshot.timeline.spans) == 1_001
