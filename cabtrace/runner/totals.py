"""What the agent's transcript counts beside what came by way of the proxy: where they differ, the record says so and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cabtrace.model import semconv as sc

if TYPE_CHECKING:
    from cabtrace.protocols import Transcript
    from cabtrace.runner.calls import CallRecorder


def transcript_totals(transcript: Transcript | None, calls: CallRecorder | None) -> dict[str, int | str]:
    """Attributes of the cell span; {} for an agent without a transcript. What it does not count is left out, never 0."""
    if transcript is None or not (transcript.model_calls or transcript.tool_calls):
        return {}
    counts = {
        sc.TRANSCRIPT_CALLS: transcript.model_calls,
        sc.TRANSCRIPT_INPUT_TOKENS: transcript.input_tokens,
        sc.TRANSCRIPT_OUTPUT_TOKENS: transcript.output_tokens,
        sc.TRANSCRIPT_TOOL_CALLS: len(transcript.tool_calls),
    }
    found: dict[str, int | str] = {key: value for key, value in counts.items() if value is not None}
    if calls is not None and calls.answered and (note := difference(transcript, calls)):
        found[sc.TRANSCRIPT_NOTE] = note
    return found


def difference(transcript: Transcript, calls: CallRecorder) -> str:
    """Why the totals differ, as far as that can be known; "" where they agree."""
    told = transcript.model_calls
    if told is None:
        return "the transcript does not count model calls"
    if told < calls.answered:
        return f"the transcript tells of {told} of {calls.answered} model calls: those beside the conversation are not in it"
    if told > calls.answered:
        return f"the transcript tells of {told} model calls and the proxy saw {calls.answered} answered"
    if transcript.input_tokens is None or transcript.output_tokens is None:
        return "the transcript does not count tokens, or only guesses them"
    if (transcript.input_tokens, transcript.output_tokens) != (calls.input_tokens, calls.output_tokens):
        ours, theirs = calls.input_tokens + calls.output_tokens, transcript.input_tokens + transcript.output_tokens
        return f"the transcript counts {theirs} tokens where the endpoint counted {ours}"
    return ""
