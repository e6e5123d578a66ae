"""Documents as exporters write them, to spans without the care that a file which may hold anything needs.

Whatever is not so is left to `cabtrace.otel.trace_json`, from which the result never differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from cabtrace.model.otlp import decode_attributes, scoped_span
from cabtrace.model.span import AttributeValue, SpanRecord

_UINT32_MAX: Final = 2**32 - 1
_HIGHEST_KIND, _HIGHEST_STATUS = 5, 2
_PLAIN: Final = frozenset({str, int, float, bool})
_TIME: Final = frozenset({str, int})
_ID: Final = re.compile(r"(?!0{16})[0-9a-fA-F]{16}").fullmatch
_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-fA-F]{32}").fullmatch
_DROPPED: Final = "droppedAttributesCount"
_COUNTS: Final = frozenset({_DROPPED, "droppedEventsCount", "droppedLinksCount", "flags"})
_GROUP: Final = frozenset({"resource", "scopeSpans", "schemaUrl"})
_RESOURCE: Final = frozenset({"attributes", _DROPPED})
_SCOPED: Final = frozenset({"scope", "spans", "schemaUrl"})
_NAMED: Final = frozenset({"name", "version"})
_SCOPE: Final = _NAMED | _RESOURCE
_OFTEN: Final = frozenset(
    {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status"}
)
_SPAN: Final = _OFTEN | _COUNTS | {"events", "traceState"}
_EVENT: Final = frozenset({"name", "timeUnixNano", "attributes", _DROPPED})
_STATUS: Final = frozenset({"code", "message"})
_LONGEST_RESOURCE: Final = 64 * 1024


class UsualDocuments:
    """For one file after the other. Documents with the same resource share it."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._resource = b""
        self._attributes: Mapping[str, AttributeValue] = {}

    def spans(self, document: Any) -> list[SpanRecord] | None:  # anything that JSON can hold
        """The spans of a document of OTLP; None where any part of it is not as exporters write it."""
        try:
            if type(document) is not dict or len(document) != 1 or "resourceSpans" not in document:
                return None
            found: list[SpanRecord] = []
            for group in _list(document, "resourceSpans"):
                self._group(group, found)
        except (_UnusualError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return None
        return found

    def _group(self, group: Any, found: list[SpanRecord]) -> None:
        _must(type(group) is dict and group.keys() <= _GROUP and type(group.get("schemaUrl", "")) is str)
        resource = self._shared(group.get("resource"))
        for scoped in _list(group, "scopeSpans"):
            _must(type(scoped) is dict and scoped.keys() <= _SCOPED and type(scoped.get("schemaUrl", "")) is str)
            scope = scoped.get("scope") or {}
            name, version = scope.get("name", ""), scope.get("version", "")
            _must(type(name) is str and type(version) is str)
            if not scope.keys() <= _NAMED:
                _must(scope.keys() <= _SCOPE and type(scope.get(_DROPPED, 0)) is int)
                _flat(_list(scope, "attributes"))
            found += [_span(span, resource, name, version) for span in _list(scoped, "spans")]

    def _shared(self, resource: Any) -> Mapping[str, AttributeValue]:
        text = orjson.dumps(resource)  # not the objects: 1 and true are equal
        if text == self._resource:
            return self._attributes
        holder = resource or {}
        _must(type(holder) is dict and holder.keys() <= _RESOURCE and type(holder.get(_DROPPED, 0)) is int)
        attributes = decode_attributes(_flat(_list(holder, "attributes")))
        if len(text) <= _LONGEST_RESOURCE and b"null" not in text:  # which may have been NaN
            self._resource, self._attributes = text, attributes
        return attributes


class _UnusualError(Exception):
    """Something is to be looked at with care."""


def _span(span: Any, resource: Mapping[str, AttributeValue], scope: str, version: str) -> SpanRecord:
    if type(span) is not dict or not span.keys() <= _SPAN:
        raise _UnusualError
    get = span.get
    parent, kind, status = get("parentSpanId"), get("kind", 0), get("status")
    if (
        not _ID(span["spanId"])
        or not _TRACE_ID(span["traceId"])
        or (parent and not _ID(parent))
        or type(get("name", "")) is not str
        or type(kind) is not int
        or not 0 <= kind <= _HIGHEST_KIND
        or type(get("startTimeUnixNano", 0)) not in _TIME
        or type(get("endTimeUnixNano", 0)) not in _TIME
    ):
        raise _UnusualError
    if status:
        code = status.get("code", 0)
        _must(type(code) is int and 0 <= code <= _HIGHEST_STATUS and type(status.get("message", "")) is str)
        _must(type(status) is dict and status.keys() <= _STATUS)
    if not span.keys() <= _OFTEN:
        _must(type(get("traceState", "")) is str)
        _must(all(type(span[key]) is int and 0 <= span[key] <= _UINT32_MAX for key in _COUNTS & span.keys()))
        for event in _list(span, "events"):
            _must(type(event) is dict and event.keys() <= _EVENT and type(event.get("name", "")) is str)
            _must(type(event.get("timeUnixNano", 0)) in _TIME and type(event.get(_DROPPED, 0)) is int)
            _flat(_list(event, "attributes"))
    _flat(_list(span, "attributes"))
    return scoped_span(span, resource, scope, version)


def _list(holder: dict[str, Any], key: str) -> list[Any]:
    value = holder.get(key)
    if value is None:
        return []
    if type(value) is not list:
        raise _UnusualError
    return value


def _flat(attributes: list[Any]) -> list[Any]:
    """The same list, where no value in it holds more than a list of plain ones."""
    for attribute in attributes:
        value = attribute["value"]
        if len(attribute) != 2 or type(attribute["key"]) is not str or type(value) is not dict or len(value) > 1:
            raise _UnusualError
        for inner in value.values():
            if type(inner) not in _PLAIN:
                _must("arrayValue" in value and type(inner) is dict and len(inner) <= 1)
                for items in inner.values():
                    _must(type(items) is list and all(_is_plain(item) for item in items))
    return attributes


def _is_plain(value: Any) -> bool:  # anything that JSON can hold
    return type(value) is dict and all(type(inner) in _PLAIN for inner in value.values())


def _must(so: bool) -> None:
    if not so:
        raise _UnusualError
