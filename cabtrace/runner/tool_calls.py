"""Tool calls as the model's side shows them: asked for in one answer, answered in a later request.

For an agent that says nothing of its tools this is all there is. The span then lasts from the end of the answer that asked for
the tool to the moment the agent sent its result back: everything the agent did in between, so an upper bound, and marked so.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cabtrace.agents.transcripts.values import as_text
from cabtrace.model import semconv as sc
from cabtrace.model.exit_code import exit_code_in
from cabtrace.model.merge.rules import canonical

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from cabtrace.otel.recorder import Recorder

_PENDING = 10_000
_SURE_CHARS = 200  # from the ends of a result, where agents put the exit code; elsewhere it may be that of something else


@dataclass(frozen=True, slots=True)
class AskedTool:
    """A tool call that a model asked for at `asked_ns`, in the call `call_id`."""

    tool_call_id: str
    name: str
    arguments: str
    asked_ns: int
    call_id: str


class ToolCallRecorder:
    """Pairs what was asked with what was answered; each pair becomes one `execute_tool` span, once.

    Where an answer gives its tool calls no ids, as Gemini's does, the agent makes up its own: the next request repeats the call
    under that id, and the call is known by its name and arguments. Only the newest turn of a request counts there, as the ones
    before it come again with each request.
    """

    def __init__(self, recorder: Recorder, parent: Span) -> None:
        self._recorder = recorder
        self._parent = parent
        self._mutex = threading.Lock()
        self._asked: dict[str, AskedTool] = {}

    def answer(self, messages: Sequence[Mapping[str, Any]], call_id: str, ended_ns: int) -> None:
        """A model answered; takes note of the tools that it asks for."""
        for number, part in enumerate(_parts(messages, "tool_call")):
            asked_id = str(part.get("id") or f"{call_id}:{number}:{part.get('name')}")
            asked = AskedTool(asked_id, str(part.get("name") or "unknown"), as_text(part.get("arguments")), ended_ns, call_id)
            with self._mutex:
                if len(self._asked) < _PENDING:
                    self._asked[asked_id] = asked

    def request(self, messages: Sequence[Mapping[str, Any]], received_ns: int) -> None:
        """The agent calls the model again; results of tools that were asked for end their spans."""
        last = max((n for n, message in enumerate(messages) if message.get("role") == "assistant"), default=0)
        renamed = _renamed(messages[last:])
        for number, message in enumerate(messages):
            for part in _parts([message], "tool_call_response"):
                given_id = str(part.get("id") or "")
                with self._mutex:
                    asked = self._asked.pop(given_id, None)
                    if asked is None and number >= last and (calls := renamed.get(given_id)):
                        asked = self._without_id(*calls.pop(0), given_id)
                if asked is not None:
                    self._record(asked, as_text(part.get("result")), received_ns)

    def _without_id(self, name: str, arguments: str, given_id: str) -> AskedTool | None:
        """The oldest open call of that name and with those arguments, under the id that the agent has for it."""
        for key, asked in self._asked.items():
            made_up = key.startswith(f"{asked.call_id}:")
            if made_up and (asked.name, canonical(asked.arguments)) == (name, arguments):
                del self._asked[key]
                return asked if given_id == name else replace(asked, tool_call_id=given_id)
        return None

    def _record(self, asked: AskedTool, result: str, ended_ns: int) -> None:
        attributes: dict[str, object] = {
            sc.GEN_AI_OPERATION: "execute_tool",
            sc.GEN_AI_TOOL_NAME: asked.name,
            sc.GEN_AI_TOOL_CALL_ID: asked.tool_call_id,
            sc.GEN_AI_TOOL_ARGUMENTS: asked.arguments,
            sc.GEN_AI_TOOL_RESULT: result,
            sc.TOOL_CALL_SOURCES: ["model_calls"],
            sc.TOOL_CALL_TIMES: "model_calls",
            sc.TOOL_CALL_ASKED_BY: asked.call_id,
        }
        code = exit_code_in(result, ends=_SURE_CHARS)
        if code is not None:
            attributes |= {sc.PROCESS_EXIT_CODE: code, sc.TOOL_EXIT_CODE_FROM: "result"}
        span = self._recorder.start(
            f"execute_tool {asked.name}",
            sc.SpanKind.TOOL_CALL,
            parent=self._parent,
            attributes=attributes,
            start_ns=asked.asked_ns,
        )
        failed = {"error": str(code), "message": f"ended with exit code {code}"} if code else {}
        self._recorder.end(span, end_ns=max(ended_ns, asked.asked_ns), **failed)


def _renamed(messages: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """Name and arguments of the tool calls that a request repeats, by the id that the agent gave each.

    Without ids a result names the tool; calls of the same tool are then in their order.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for part in _parts(messages, "tool_call"):
        name = str(part.get("name") or "unknown")
        found.setdefault(str(part.get("id") or name), []).append((name, canonical(as_text(part.get("arguments")))))
    return found


def _parts(messages: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [p for m in messages for p in m.get("parts") or () if isinstance(p, Mapping) and p.get("type") == kind]
