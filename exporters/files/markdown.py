"""A transcript in Markdown, to paste into an issue. Everything recorded stands in code, so none of it is markup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exporters.files.fencing import code, fenced
from exporters.transcript import ToolUse, Turn, turns

if TYPE_CHECKING:
    from typing import BinaryIO

    from cabtrace.store.reader import RunView

_TEXT_CHARS = 6_000
_RESULT_CHARS = 2_000
_PATCH_CHARS = 12_000


class MarkdownExporter:
    """Outcome, task, turns, tests, patch. Long texts lose their middle and say so."""

    name = "markdown"
    suffix = ".md"

    def export(self, run: RunView, out: BinaryIO) -> None:
        for block in _blocks(run):
            out.write(block.encode("utf-8", "replace") + b"\n")


def _blocks(run: RunView) -> Iterator[str]:
    header = run.header
    yield f"# {header.marked(code(header.cell_id))}\n"
    yield _facts(run)
    for warning in run.warnings():
        yield f"> ⚠ {code(warning, max_chars=500)}\n"
    if header.task.instruction:
        yield "## Task\n\n" + fenced(header.task.instruction, language="text", max_chars=_TEXT_CHARS)
    yield "## Transcript\n"
    for turn in turns(run):
        yield _turn(turn)
    tail = str(run.verification().get("stdout_tail") or "")
    tests = run.verification().get("tests") or ()
    if tail or tests:
        yield "## Tests\n"
    if tests:
        yield "\n".join(f"- {'✓' if t.get('passed') else '✗'} {code(t.get('name'))}" for t in tests if isinstance(t, dict)) + "\n"
    if tail:
        yield fenced(tail, language="text")
    if patch := run.patch():
        yield "## Patch\n\n" + fenced(patch, language="diff", max_chars=_PATCH_CHARS)


def _facts(run: RunView) -> str:
    header = run.header
    rows = [
        ("verdict", f"{code(header.verdict or header.status)} {code(header.cause)}" if header.cause else code(header.status)),
        ("detail", code(header.cause_detail, max_chars=500)),
        ("agent", f"{code(header.agent.name)} {code(header.agent.version)}" if header.agent.version else code(header.agent.name)),
        ("model", code(header.model)),
        (
            "sandbox",
            f"{code(header.sandbox.kind)} {code(header.sandbox.image)}" if header.sandbox.image else code(header.sandbox.kind),
        ),
        ("started", code(header.started_at)),
        ("duration", "unknown" if header.duration_s is None else f"{header.duration_s:.3f} s"),
        ("model calls", str(len(run.calls()))),
        ("trace", code(header.trace_id)),
    ]
    rows += [(f"score: {code(axis)}", code(score.get("label") or score.get("value"))) for axis, score in header.scores.items()]
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def _turn(turn: Turn) -> str:
    call = turn.call
    facts = [f"{call.latency_ms:.0f} ms" if call.latency_ms is not None else "no end"]
    if call.usage.input is not None and call.usage.output is not None:
        facts.append(f"{call.usage.input:,} in, {call.usage.output:,} out")
    facts += [code(reason) for reason in call.finish_reasons]
    if call.error:
        facts.append(f"error: {code(call.error)}")
    blocks = [f"### {call.index}. {code(call.request_model)} ({', '.join(facts)})\n"]
    if turn.reasoning:
        blocks.append("Reasoning:\n\n" + fenced(turn.reasoning, language="text", max_chars=_TEXT_CHARS))
    if turn.text:
        blocks.append(fenced(turn.text, language="text", max_chars=_TEXT_CHARS))
    if not turn.recorded:
        blocks.append("(What it said was not recorded.)\n")
    blocks += [_tool(use) for use in turn.tools]
    return "\n".join(blocks)


def _tool(use: ToolUse) -> str:
    took = "" if use.duration_ns is None else f" ({use.duration_ns / 1e6:.0f} ms)"
    failed = f" – {code(use.error)}" if use.error else ""
    arguments = use.arguments_object()
    shown = arguments["command"] if set(arguments) == {"command"} else use.arguments_text()
    blocks = [f"Tool {code(use.name)}{took}{failed}\n", fenced(shown, language="sh" if set(arguments) == {"command"} else "json")]
    if use.result is not None:
        blocks.append(fenced(use.result, language="text", max_chars=_RESULT_CHARS))
    return "\n".join(blocks)
