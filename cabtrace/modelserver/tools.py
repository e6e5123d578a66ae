"""The tools that a request offers, and which of them a script's `*` means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cabtrace.runner.proxy.apis.values import items, mapping, text

# How agents call their shell, in lower case.
_SHELLS = frozenset(
    ("bash", "shell", "sh", "exec", "exec_command", "shell_command", "run_shell_command", "run_command", "run_bash",
     "execute_command", "execute_bash", "terminal", "run_terminal_cmd", "run_in_terminal", "developer__shell")
)  # fmt: skip
_COMMAND_NAMES = ("command", "cmd", "script", "commands", "input", "code")
_FILLERS: dict[str, Any] = {
    "string": "as scripted",
    "boolean": False,
    "integer": 0,
    "number": 0,
    "array": [],
    "object": {},
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool's name and the JSON schema of its arguments."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)


def offered_tools(request: Mapping[str, Any]) -> tuple[Tool, ...]:
    """The function tools of a request of any of the APIs."""
    found: list[Tool] = []
    for entry in items(request.get("tools")):
        tool = mapping(entry)
        declared = items(tool.get("functionDeclarations")) or [mapping(tool.get("function")) or tool]
        for one in map(mapping, declared):
            schemas = (one.get(key) for key in ("parameters", "input_schema", "parametersJsonSchema"))
            schema = next((mapping(candidate) for candidate in schemas if mapping(candidate)), {})
            if name := text(one.get("name")):
                found.append(Tool(name, schema))
    return tuple(found)


def find_shell(tools: Iterable[Tool]) -> Tool | None:
    """The first tool that runs commands."""
    return next((tool for tool in tools if tool.name.lower() in _SHELLS), None)


def fit_arguments(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A script's arguments (`command`) under the names and types that this tool wants; what else it needs is filled."""
    properties = mapping(tool.schema.get("properties"))
    fitted: dict[str, Any] = {}
    for name, value in arguments.items():
        wanted = name
        if name == "command" and name not in properties:
            wanted = next((key for key in _COMMAND_NAMES if key in properties), name)
        takes_list = mapping(properties.get(wanted)).get("type") == "array"
        fitted[wanted] = ["bash", "-lc", value] if takes_list and isinstance(value, str) else value
    for name in items(tool.schema.get("required")):
        if isinstance(name, str) and name not in fitted:
            kind = mapping(properties.get(name)).get("type")
            fitted[name] = _FILLERS.get(kind if isinstance(kind, str) else "string", "")
    return fitted
