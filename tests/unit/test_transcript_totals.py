"""What a transcript counts, beside what the proxy saw: the same, or why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.model import semconv as sc
from cabtrace.protocols import Transcript, TranscriptToolCall
from cabtrace.runner.calls import CallRecorder
from cabtrace.runner.totals import transcript_totals
from tests.support.recording import new_recorder


@pytest.fixture
def calls(tmp_path: Path) -> CallRecorder:
    recorder = new_recorder(tmp_path)
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    found = CallRecorder(recorder, root, root)
    found.count = found.answered = 2
    found.input_tokens, found.output_tokens = 300, 40
    return found


@pytest.mark.parametrize(
    ("told", "note"),
    [
        ((2, 300, 40), ""),
        ((1, 100, 20), "the transcript tells of 1 of 2 model calls: those beside the conversation are not in it"),
        ((3, 300, 40), "the transcript tells of 3 model calls and the proxy saw 2 answered"),
        ((2, None, None), "the transcript does not count tokens, or only guesses them"),
        ((2, 300, 41), "the transcript counts 341 tokens where the endpoint counted 340"),
        ((None, 300, 40), "the transcript does not count model calls"),
    ],
)
def test_a_difference_has_a_reason(told: tuple[int | None, int | None, int | None], note: str, calls: CallRecorder) -> None:
    tool = TranscriptToolCall("t", "bash")

    found = transcript_totals(Transcript((tool,), *told), calls)

    assert found.pop(sc.TRANSCRIPT_NOTE, "") == note
    named = dict(zip((sc.TRANSCRIPT_CALLS, sc.TRANSCRIPT_INPUT_TOKENS, sc.TRANSCRIPT_OUTPUT_TOKENS), told, strict=True))
    assert found == {sc.TRANSCRIPT_TOOL_CALLS: 1, **{key: value for key, value in named.items() if value is not None}}


def test_without_a_transcript_nothing_is_said(calls: CallRecorder) -> None:
    assert transcript_totals(None, calls) == {}
    assert transcript_totals(Transcript(), calls) == {}
    assert sc.TRANSCRIPT_NOTE not in transcript_totals(Transcript(model_calls=2), None)
