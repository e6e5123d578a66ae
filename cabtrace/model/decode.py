"""Plain JSON values to frozen dataclasses by their field types: what the record's own files are read with.

pydantic reads what people write. Of a run's own header it would take more time to import than a replay needs to read the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_Decode = Callable[[Any], Any]

_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}


class DecodeError(ValueError):
    """A value does not fit. `where` are the keys that lead to it."""

    def __init__(self, why: str, where: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(where)}: {why}" if where else why)
        self.why = why
        self.where = where

    def below(self, key: str) -> DecodeError:
        """The same, seen from one level above."""
        return DecodeError(self.why, (key, *self.where))


def decode(kind: type[T], value: object) -> T:
    """An instance of a dataclass from a JSON object. Keys that it does not know are left out.

    Fields may be scalars, literals, enums, other such dataclasses, any of these or None, tuples of one of them, mappings of
    strings, or Any. Metadata `ge`, `le` and `lt` bound a number. Raises DecodeError.
    """
    wanted: Any = kind
    result: T = _decoder(wanted)(value)
    return result


@cache
def _decoder(kind: Any) -> _Decode:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda value: value
    if kind in _NAMES:
        return _scalar(kind)
    if origin is Literal:
        return _one_of({part: part for part in parts})
    if origin in (Union, UnionType):
        return _optional(parts)
    if origin is tuple:
        return _tuple(_decoder(parts[0]))
    if origin is dict:
        return _mapping(_decoder(parts[1]))
    if issubclass(kind, Enum):
        return _one_of({member.value: member for member in kind})
    return _object(kind)


def _scalar(kind: type) -> _Decode:
    def scalar(value: Any) -> Any:
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return float(value)
        raise DecodeError(f"is not {_NAMES[kind]}")

    return scalar


def _one_of(known: Mapping[Any, Any]) -> _Decode:
    def one_of(value: Any) -> Any:
        if isinstance(value, str) and value in known:
            return known[value]
        raise DecodeError(f"is none of {', '.join(map(str, known))}")

    return one_of


def _optional(parts: tuple[Any, ...]) -> _Decode:
    kind, none = parts
    if none is not NoneType:
        raise TypeError(f"only `X | None` can be decoded, not {parts}")
    some = _decoder(kind)
    return lambda value: None if value is None else some(value)


def _tuple(item: _Decode) -> _Decode:
    def items(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise DecodeError("is not a list")
        return tuple(_at(str(number), item, part) for number, part in enumerate(value))

    return items


def _mapping(item: _Decode) -> _Decode:
    def mapping(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise DecodeError("is not an object")
        return {key: _at(key, item, part) for key, part in value.items()}

    return mapping


def _object(kind: Any) -> _Decode:
    hints = get_type_hints(kind)
    known = [(field.name, _bounded(_decoder(hints[field.name]), field.metadata)) for field in fields(kind)]
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}

    def make(value: Any) -> Any:
        if not isinstance(value, dict):
            raise DecodeError("is not an object")
        for name in needed - value.keys():
            raise DecodeError("is missing", (name,))
        return kind(**{name: _at(name, part, value[name]) for name, part in known if name in value})

    return make


def _bounded(item: _Decode, bounds: Mapping[str, Any]) -> _Decode:
    if not bounds:
        return item
    least, most, below = bounds.get("ge"), bounds.get("le"), bounds.get("lt")

    def bounded(value: Any) -> Any:
        found = item(value)
        if found is not None:
            if least is not None and not found >= least:
                raise DecodeError(f"is less than {least:g}")
            if (most is not None and not found <= most) or (below is not None and not found < below):
                raise DecodeError("is too large")
        return found

    return bounded


def _at(key: str, item: _Decode, value: Any) -> Any:
    try:
        return item(value)
    except DecodeError as error:
        raise error.below(key) from None
