"""Secrets in structured data, where a name says that its value is secret whatever the value looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from cabtrace.redaction.names import MARKER, looks_random, strength

T = TypeVar("T")
_MAX_DEPTH = 200  # recursion must end before Python's does; deeper values are not in records
_FIELD, _ARGUMENT = "field", "argument"
_USER_FLAGS = frozenset({"-u", "--user", "--proxy-user"})
_ASSIGNMENT = re.compile(r"(-{0,2}[A-Za-z_][\w.-]{0,63})=(.+)", re.DOTALL)


class TextRedactor(Protocol):
    """What is needed of a redactor here."""

    def text(self, text: str) -> str:
        """`text` without its secrets."""

    def count(self, rule: str) -> None:
        """Notes one find."""


def redact_value(redactor: TextRedactor, value: T) -> T:
    """A JSON-like value without its secrets; see `Redactor.value`."""
    result: T = _redact(redactor, value, "", 0)
    return result


def _redact(redactor: TextRedactor, value: Any, name: str, depth: int) -> Any:  # JSON-like data
    if isinstance(value, str):
        return _string(redactor, value, name)
    if depth > _MAX_DEPTH and isinstance(value, Mapping | list | tuple):
        redactor.count("depth")
        return "[redacted:depth]"
    if isinstance(value, Mapping):
        return _mapping(redactor, value, name, depth)
    if isinstance(value, list | tuple):
        return _sequence(redactor, value, name, depth)
    return value


def _string(redactor: TextRedactor, value: str, name: str) -> str:
    how = strength(name) if name else ""
    if how and value and not MARKER.fullmatch(value) and (how == "strong" or looks_random(value)):
        redactor.count(_FIELD)
        return f"[redacted:{_FIELD}]"
    return redactor.text(value)


def _mapping(redactor: TextRedactor, value: Mapping[Any, Any], name: str, depth: int) -> Mapping[Any, Any]:
    result: dict[Any, Any] = {}
    changed = False
    # OTLP writes an attribute as {"key": name, "value": {"stringValue": text}}.
    name_of = {"value": _pair_name(value) or "value", "stringValue": name}
    for key, item in value.items():
        new_key = _free(redactor.text(key), result) if isinstance(key, str) else key
        new_item = _redact(redactor, item, name_of.get(key, key) if isinstance(key, str) else "", depth + 1)
        changed = changed or new_key != key or new_item is not item
        result[new_key] = new_item
    return result if changed else value


def _pair_name(value: Mapping[Any, Any]) -> str:
    """The name in `{"name": "authorization", "value": ...}`, as headers and OTLP attributes are written."""
    if "value" not in value or len(value) > 4:
        return ""
    name = value.get("name", value.get("key"))
    return name if isinstance(name, str) and _names_secret(name) else ""


def _sequence(redactor: TextRedactor, value: Any, name: str, depth: int) -> Any:  # list or tuple
    items = [_redact(redactor, item, name, depth + 1) for item in value]
    if not strength(name) and len(value) == 2 and _names_secret(value[0]) and isinstance(value[1], str):  # a header as a pair
        items[1] = _string(redactor, value[1], value[0])
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    if isinstance(value, list):
        return items
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def _names_secret(name: object) -> bool:
    return isinstance(name, str) and " " not in name.strip() and strength(name) == "strong"


def _free(key: str, taken: Mapping[Any, Any]) -> str:
    """`key`, numbered where another secret key already became the same."""
    if key not in taken:
        return key
    number = 2
    while f"{key}#{number}" in taken:
        number += 1
    return f"{key}#{number}"


def redact_argv(redactor: TextRedactor, argv: Sequence[str]) -> tuple[str, ...]:
    """A command line without its secrets; see `Redactor.argv`."""
    result: list[str] = []
    flag = ""
    for argument in argv:
        if flag and not argument.startswith("--"):
            result.append(_flagged(redactor, flag, argument))
            flag = ""
            continue
        flag = argument if argument in _USER_FLAGS or (argument.startswith("--") and _secret_flag(argument)) else ""
        match = _ASSIGNMENT.fullmatch(argument)
        if match and _secret_flag(match[1]) and not MARKER.fullmatch(match[2]):
            redactor.count(_ARGUMENT)
            result.append(f"{match[1]}=[redacted:{_ARGUMENT}]")
            flag = ""
        else:
            result.append(redactor.text(argument))
    return tuple(result)


def _secret_flag(name: str) -> bool:
    return strength(name) == "strong" or name.lstrip("-").lower() in ("token", "key-secret", "pass")


def _flagged(redactor: TextRedactor, flag: str, argument: str) -> str:
    if flag in _USER_FLAGS:
        user, colon, password = argument.partition(":")
        if not password or MARKER.fullmatch(password):
            return redactor.text(argument)
        redactor.count(_ARGUMENT)
        return f"{redactor.text(user)}{colon}[redacted:{_ARGUMENT}]"
    if not argument or MARKER.fullmatch(argument):
        return argument
    redactor.count(_ARGUMENT)
    return f"[redacted:{_ARGUMENT}]"
