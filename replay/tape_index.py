"""Keyframes and shown text of a long recording in the run's index, so that it is played through once and not at each opening."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cabtrace.store.cast_index import cast_fingerprint, worth_indexing
from cabtrace.store.index_seal import load_sealed, save_sealed
from cabtrace.text import safe
from replay.keyframes import Keyframe, Keyframes
from replay.screen import TerminalTape
from replay.shown import ShownText

PART: Final = "screen"
_VERSION: Final = 2
_KEYFRAME: Final = "keyframe "
_SHOWN: Final = "shown "
_LEFT_OUT: Final = "left out "


def load_tape(run_dir: Path, tape: TerminalTape) -> bool:
    """Fills a tape; False where the index has nothing for it that this user made by the same engine.

    A state goes to the engine as it is, and the engine is a native library: hence the seal.
    """
    engine = tape.made_by
    blobs = load_sealed(run_dir, PART, _sources(run_dir, engine)) if engine and worth_indexing(run_dir) else None
    if blobs is None:
        return False
    try:
        covered = int(blobs["covered"])
        states = [(int(name.removeprefix(_KEYFRAME)), data) for name, data in blobs.items() if name.startswith(_KEYFRAME)]
        left_out = {int(name.removeprefix(_LEFT_OUT)): safe(data) for name, data in blobs.items() if name.startswith(_LEFT_OUT)}
        shown = ShownText.load({k.removeprefix(_SHOWN): data for k, data in blobs.items() if k.startswith(_SHOWN)})
    except (KeyError, ValueError):
        return False
    tape.adopt(Keyframes([Keyframe(*state) for state in sorted(states)]), shown, covered, left_out)
    return True


def save_tape(run_dir: Path, tape: TerminalTape) -> bool:
    """Keeps what a tape has found out about the whole recording; False where that is not possible, or not worth it."""
    engine = tape.made_by
    if not engine or not worth_indexing(run_dir):
        return False
    sources = _sources(run_dir, engine)
    keyframes, shown = tape.keyframes.kept, tape.shown.dump()
    if tape.covered != len(tape):
        return False
    blobs = {f"{_KEYFRAME}{k.events}": k.packed for k in keyframes} | {f"{_SHOWN}{name}": data for name, data in shown.items()}
    blobs |= {f"{_LEFT_OUT}{event}": reason.encode() for event, reason in tape.trouble.left_out.items()}
    return save_sealed(run_dir, PART, sources, blobs | {"covered": b"%d" % tape.covered})


def _sources(run_dir: Path, engine: str) -> str:
    return f"{cast_fingerprint(run_dir, _VERSION)} {engine}"
