"""What is hostile beside the records of a run: names of folders, files that are no runs, a run under way, a command's report."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.otlp import clean_text
from cabtrace.store.writer import RunWriter
from tests.security.escapes_corpus import payloads
from tests.support.child_jobs import phases
from tests.support.sample_run import at, build_sample_run, write_span
from tests.support.spans import span
from tests.support.state_runs import ROOT, under_way

_NAME_BYTES = 200


def texts() -> list[str]:
    """Every payload that can be recorded, or typed, at all."""
    return [clean_text(payload) for _, payload in payloads()]


def folder_names() -> list[str]:
    """Every payload that can be the name of a folder, with its place in front."""
    named = [f"d{number:02d}{text.replace('/', '')}".replace("\0", "") for number, text in enumerate(texts())]
    return [name for name in named if len(name.encode()) < _NAME_BYTES]


def build_hostile_folders(store: Path, names: Sequence[str]) -> None:
    """Runs in folders of these names: by turns sound, of a later version, not JSON, of another format, hardly a run."""
    sound = build_sample_run(store / "sound")
    for number, name in enumerate(names):
        run = store / name / "1"
        if number % 5 == 0:
            shutil.copytree(sound, run)
            continue
        run.mkdir(parents=True)
        content: dict[str, Any] = {
            1: {"format": "cabtrace.run", "schema_version": 99, "cabtrace_version": name},
            2: {"format": name, "schema_version": name},
            3: {"format": "cabtrace.run", "schema_version": 1, name: name, "run_id": [name], "status": name},
        }.get(number % 5, {})
        (run / "run.json").write_bytes(orjson.dumps(content) if content else f'{{"{name}'.encode("utf-8", "replace"))
    shutil.rmtree(store / "sound")


@contextmanager
def hung_on(store: Path, text: str) -> Iterator[RunWriter]:
    """A run under way whose open call is named by a payload."""
    with under_way(store, open_call=False) as writer:
        name = replace(span(f"{7:016x}", parent=ROOT, kind="tool_call", name=text), start_ns=at(1_300), end_ns=None)
        write_span(writer, replace(name, attributes={**name.attributes, sc.GEN_AI_TOOL_NAME: text}), log="open")
        yield writer


def hostile_jobs(run: Path, text: str) -> list[dict[str, Any]]:
    """What a rerun may report, print and complain, for `child_jobs.job`."""
    told = [*phases(run), {"at_s": 1.0, "phase": text, "detail": text}]
    unanswered = {"sentence": text, "difference": f"-{text}\n+{text}"}
    result = {"verdict": text, "cause": text, "cause_detail": text, "unanswered": unanswered}
    parted = {"verdict": "failed", "cause": text, "cause_detail": text, "first_divergence": {"sentence": text}}
    return [
        {"report": told, "running": True},
        {"report": told, "result": result},
        {"report": told, "result": parted},
        {"report": [], "complaint": f"cabtrace: {text} --task"},
    ]
