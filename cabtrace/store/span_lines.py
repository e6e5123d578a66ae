"""Lines of trace.jsonl to spans.

What stands around the spans of a line, resource and scope, is the same in very many lines: it is parsed once, and of each
further line that begins and ends alike only the spans are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from cabtrace.limits import DEFAULT
from cabtrace.model.otlp import decode_attributes, scoped_span, spans_from_line
from cabtrace.model.span import AttributeValue, SpanRecord
from cabtrace.store.lines import LineFile, nests_deeper

_MOST_LEVELS = 2 * DEFAULT.json_depth  # a value takes up to four levels of OTLP JSON for each of its own
_AROUND_LEVELS = 6
_OPENS, _CLOSES = b'"spans":[', b"]}]}]}"
_MOST_BEGINNINGS, _LONGEST_BEGINNING = 256, 64 * 1024

_Around = tuple[Mapping[str, AttributeValue], str, str]  # resource, name and version of the scope


class SpanLines:
    """Decodes one line after the other; the result is that of `spans_from_line`, whatever a line holds."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Around | None] = {}

    def decode(self, line: bytes) -> list[SpanRecord]:
        """The spans of a line. Raises ValueError, KeyError, TypeError or AttributeError where it is no such line."""
        begins = line.find(_OPENS) + len(_OPENS)
        beginning = line[:begins]
        around = self._known.get(beginning) or self._learn(beginning)
        if around is not None and line.endswith(_CLOSES):
            inner = line[begins - 1 : 1 - len(_CLOSES)]
            if inner.count(b"{") + inner.count(b"[") <= _MOST_LEVELS - _AROUND_LEVELS:
                try:
                    found = orjson.loads(inner)
                except orjson.JSONDecodeError:
                    pass  # the ends belong to something else, or the line is broken: the long way tells
                else:
                    resource, scope, version = around
                    return [scoped_span(span, resource, scope, version) for span in found]
        data = orjson.loads(line)
        brackets = line.count(b"{") + line.count(b"[")
        if brackets > _MOST_LEVELS and nests_deeper(data, _MOST_LEVELS):
            raise ValueError("nests too deep")
        return spans_from_line(data)

    def _learn(self, beginning: bytes) -> _Around | None:
        if beginning in self._known or len(beginning) > _LONGEST_BEGINNING:
            return None
        if len(self._known) >= _MOST_BEGINNINGS:
            self._known.clear()
        found = self._known[beginning] = _parse(beginning)
        return found


def _parse(beginning: bytes) -> _Around | None:
    """Resource and scope, if what follows are the elements of the one list of spans: two probes must come out just there."""
    try:
        for probe in (0, 1):
            data: Any = orjson.loads(b"%s%d%s" % (beginning, probe, _CLOSES))
            (resource_spans,) = data["resourceSpans"]
            (scope_spans,) = resource_spans["scopeSpans"]
            if scope_spans["spans"] != [probe] or nests_deeper(data, _MOST_LEVELS):
                return None
    except (ValueError, KeyError, TypeError):
        return None
    resource, scope = resource_spans.get("resource"), scope_spans.get("scope") or {}
    attributes = resource.get("attributes") if isinstance(resource, dict) else None
    if not isinstance(scope, dict):
        return None
    return (
        decode_attributes(attributes if isinstance(attributes, list) else ()),
        str(scope.get("name", "")),
        str(scope.get("version", "")),
    )


def reading_warnings(
    files: Mapping[str, LineFile], bad: Mapping[str, Iterable[int]], duplicates: int, *, live: bool
) -> list[str]:
    """What could not be read, one sentence a file; `bad` are numbers of lines. The torn end of a live run is no defect."""
    found = []
    for name, lines in files.items():
        if lines.torn_bytes and not live:
            found.append(f"{name} ends in the middle of a record ({lines.torn_bytes} bytes); what came before is shown.")
        if numbers := sorted({*bad[name], *lines.long_lines}):
            found.append(f"{name}: {len(numbers)} unreadable lines were skipped (line {', '.join(map(str, numbers[:5]))}).")
    if duplicates:
        found.append(f"{duplicates} spans were recorded twice; the later record is shown.")
    return found
