"""Tool calls as rules read them: what was run, how it ended, whether it changed anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.exit_code import exit_code_in
from cabtrace.model.model_call import ModelCall
from cabtrace.model.span import SpanRecord
from cabtrace.store.calls import CallBody

_COMMAND_KEYS = ("command", "cmd", "script", "commands", "input", "code")
_WRITES = re.compile(
    r"(?:^|[\s;|&(])(?:tee|patch|mv|cp|rm|touch|truncate|install|ed|git (?:apply|checkout|restore|revert|reset|stash))\s"
    r"|(?<![<>&0-9-])>{1,2}\s*(?!/dev/null|&)\S|\bsed\b[^|;]*\s-[a-zA-Z]*i|\bperl\b[^|;]*\s-[a-zA-Z]*i|write_text|open\([^)]*['\"][wa]"
    r"|apply_patch|writeFile"
)
_WRITING_TOOLS = re.compile(r"write|edit|patch|replace|create|insert|str_replace|delete|move", re.IGNORECASE)
_CHECKS = re.compile(
    r"\b(?:pytest|unittest|tox|nox|mypy|ruff|flake8|eslint|tsc|node --test|jest|vitest|mocha|ctest|rspec|test\.sh)\b"
    r"|\b(?:npm|yarn|pnpm)\s+(?:run\s+)?(?:test|lint|check)|\b(?:cargo|go|mvn|gradle|make|dotnet|swift|zig)\s+(?:test|check|vet|clippy|build)"
)
_QUIET_FAILURES = re.compile(
    r"^\s*(?:!\s*)?(?:grep|egrep|rg|diff|cmp|test|\[|find|which|command -v|type|ls|git diff|pgrep|timeout)\b"
)
_INSTALLS = re.compile(
    r"\b(?:pip3?|npm|yarn|pnpm|apt(?:-get)?|apk|dnf|yum|brew|cargo|gem|uv|poetry|go)\s+(?:\S+\s+)?(?:install|add|ci|get|sync)\b"
)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool call. `exit_code` None is unknown; `end_ns` None has not ended. Texts are hostile."""

    span_id: str
    name: str
    arguments: str
    result: str
    exit_code: int | None
    failed: bool
    start_ns: int
    end_ns: int | None
    asked_by: str = ""

    @property
    def command(self) -> str:
        """What was run, for shell-like tools; else its arguments."""
        return command_of(self.arguments)

    @property
    def key(self) -> str:
        """Equal for equal calls: the name and the arguments in canonical form."""
        return f"{self.name} {canonical(self.arguments)}"

    @property
    def program(self) -> str:
        """What is run, without its operands: `python3 -m unittest`, `cargo test`, `sed`."""
        words = _program_words(self.command)
        return f"{self.name} {words}"

    @property
    def writes(self) -> bool:
        """Whether it looks as if it changes files."""
        return bool(_WRITES.search(self.command)) or bool(_WRITING_TOOLS.search(self.name))

    @property
    def checks(self) -> bool:
        """Whether it runs tests or another check."""
        return bool(_CHECKS.search(self.command))

    @property
    def installs(self) -> bool:
        """Whether it fetches what the work needs."""
        return bool(_INSTALLS.search(self.command))

    @property
    def only_looks(self) -> bool:
        """Whether a code other than 0 is an answer rather than a failure, as it is of grep."""
        last = re.split(r"\|\||&&|[;|\n]", self.command.strip())[-1]
        return self.exit_code == 1 and bool(_QUIET_FAILURES.match(last) or _QUIET_FAILURES.match(self.command))


def tool_use(span: SpanRecord) -> ToolUse | None:
    """A span as a tool call of the agent; None where it is none."""
    if span.attributes.get(sc.SPAN_KIND) != sc.SpanKind.TOOL_CALL or not (name := span.text(sc.GEN_AI_TOOL_NAME)):
        return None
    result = text_of(span.attributes.get(sc.GEN_AI_TOOL_RESULT))
    code = span.integer(sc.PROCESS_EXIT_CODE)
    code = code if code is not None else exit_code_in(result)
    return ToolUse(
        span_id=span.span_id,
        name=name,
        arguments=text_of(span.attributes.get(sc.GEN_AI_TOOL_ARGUMENTS)),
        result=result,
        exit_code=code,
        failed=span.failed or bool(code),
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        asked_by=span.text(sc.TOOL_CALL_ASKED_BY),
    )


def pending_tools(
    calls: Sequence[ModelCall], tools: Sequence[ToolUse], body: Callable[[str], CallBody], *, look_back: int = 3
) -> tuple[ToolUse, ...]:
    """Tools that one of the last answers asked for, of which no result came back."""
    answered = {use.asked_by for use in tools if use.asked_by}
    found: list[ToolUse] = []
    for call in calls[-look_back:]:
        if (
            call.ended_ns is None
            or call.error
            or call.call_id in answered
            or any(c.started_ns >= call.ended_ns for c in calls[-look_back:])
        ):
            continue
        for part in tool_parts(body(call.call_id).output_messages):
            arguments = text_of(part.get("arguments"))
            found.append(
                ToolUse("", str(part.get("name") or "unknown"), arguments, "", None, False, call.ended_ns, None, call.call_id)
            )
    return tuple(found)


def tool_parts(messages: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """The tool calls in some messages."""
    parts = (p for m in messages or () for p in m.get("parts") or ())
    return [p for p in parts if isinstance(p, Mapping) and p.get("type") == "tool_call"]


def command_of(arguments: str) -> str:
    """The command line in a shell-like tool's arguments; the arguments themselves where there is none."""
    if not arguments.startswith("{"):
        return arguments
    try:
        values = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    for key in _COMMAND_KEYS:
        value = values.get(key) if isinstance(values, dict) else None
        if isinstance(value, str):
            return value
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
            return str(value[-1]) if value[0] in ("bash", "sh", "zsh") and len(value) > 2 else " ".join(value)
    return arguments


def canonical(arguments: str) -> str:
    """JSON with sorted keys and single blanks; any other text as it is, blanks made single."""
    try:
        return orjson.dumps(orjson.loads(arguments), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return " ".join(arguments.split())


def text_of(value: object) -> str:
    """An attribute or a part of a message as text: JSON where it is structured, "" where there is nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError):
        return str(value)


def _program_words(command: str) -> str:
    first = re.split(r"\n", command.strip(), maxsplit=1)[0]
    piece = next(
        (p for p in re.split(r"&&|;", first) if p.strip() and not p.strip().startswith(("cd ", "export ", "set "))), first
    )
    words = [w for w in piece.split() if "=" not in w.split("/")[0]][:3]
    if not words:
        return ""
    program = words[0].rsplit("/", 1)[-1]
    if re.fullmatch(r"python[\d.]*", program):
        program = "python"
        return f"{program} -m {words[2]}" if words[1:2] == ["-m"] and len(words) > 2 else " ".join([program, *words[1:2]])
    if program in ("sh", "bash", "zsh", "ruby", "perl", "php", "Rscript"):
        return " ".join([program, *(w for w in words[1:] if not w.startswith("-"))][:2])
    takes_verb = program in ("cargo", "go", "npm", "yarn", "pnpm", "git", "pip", "pip3", "uv", "node", "make", "docker")
    return " ".join([program, *words[1:2]]) if takes_verb else program
