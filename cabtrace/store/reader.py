"""RunView: the only reader of a run directory. Lazy, bounded, tolerant of a torn or damaged file, and it says what it skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from cabtrace.errors import NotARunError, SchemaTooNewError
from cabtrace.limits import DEFAULT, MIB
from cabtrace.model import semconv as sc
from cabtrace.model.decode import DecodeError, decode
from cabtrace.model.log import LogRecord
from cabtrace.model.model_call import ModelCall, call_from_span
from cabtrace.model.run import FORMAT, SCHEMA_VERSION, RunHeader
from cabtrace.model.span import SpanRecord
from cabtrace.store import layout
from cabtrace.store.calls import CallBodies, CallBody
from cabtrace.store.cast import CastEvent, CastHeader
from cabtrace.store.cast_index import load_columns
from cabtrace.store.cast_log import CastLog
from cabtrace.store.lines import LineFile, nests_deeper, read_regular
from cabtrace.store.lock import is_locked
from cabtrace.store.logs import LogTable
from cabtrace.store.plaintext import plain_text
from cabtrace.store.spans import SpanTable

_RUN_JSON_BYTES = 16 * MIB
_ARTIFACT_BYTES = 64 * MIB


class RunView:
    """One run, read only. Everything that is a string in it is as recorded; `cabtrace.text.safe` it before it is shown."""

    def __init__(self, path: Path) -> None:
        """Reads run.json. Raises NotARunError or SchemaTooNewError."""
        self.path = path
        self.header = read_header(path)
        self._spans = SpanTable(path)
        self._calls: list[ModelCall] | None = None
        self._bodies = CallBodies(path / layout.CALLS)
        self._cast = CastLog(path / layout.TERMINAL)
        self._cast_read = False
        self._logs = LogTable(path)

    @property
    def live(self) -> bool:
        """Whether a recorder is writing this run now."""
        return self.header.status == "running" and is_locked(self.path)

    @property
    def aborted(self) -> bool:
        """Whether its recorder died before it closed the run."""
        return self.header.status == "running" and not self.live

    def refresh(self, *, spans: bool = True) -> bool:
        """Takes in what a live recorder appended since; True if anything did. `spans` False leaves those to the caller."""
        header = read_header(self.path)
        changed = header != self.header
        self.header = header
        if spans:
            changed |= self._spans.refresh(live=self.live)
            self._calls = None
        if self._cast_read:
            changed |= self._cast.refresh()
        return changed

    def spans(self) -> Sequence[SpanRecord]:
        """All spans by start time: ended ones, and those that never ended (`running` in a live run, else `aborted`)."""
        return self._spans.all(live=self.live)

    def calls(self) -> Sequence[ModelCall]:
        """Model calls in the order in which they were made."""
        if self._calls is None:
            kinds = (s for s in self.spans() if s.text(sc.SPAN_KIND) == sc.SpanKind.MODEL_CALL)
            self._calls = sorted(
                (call_from_span(s) for s in kinds),
                key=lambda c: (c.started_ns, c.index),
            )
        return self._calls

    def call_body(self, call_id: str) -> CallBody:
        """What was asked and answered; fields are None where it was not recorded."""
        return self._bodies.get(call_id)

    def terminal_header(self) -> CastHeader | None:
        """Size and command of the terminal recording; None when there is none."""
        return self.terminal_log().header

    def terminal_events(self) -> Sequence[CastEvent]:
        """The terminal's events, read as they are gone through: seconds since `terminal_start_ns`, never decreasing."""
        return self.terminal_log().events()

    def terminal_log(self) -> CastLog:
        """The terminal's recording by columns, as far as it is known; `refresh` takes in more."""
        if not self._cast_read:
            self._cast_read = True
            if not self.live:
                load_columns(self._cast)
            self._cast.refresh()
        return self._cast

    def terminal_start_ns(self) -> int:
        """When second 0 of the terminal recording was: the start of the container span, else of the run."""
        for span in self.spans():
            if span.attributes.get(sc.SPAN_KIND) == sc.SpanKind.CONTAINER:
                return span.start_ns
        return self.start_ns

    @property
    def start_ns(self) -> int:
        """Start of the run in Unix nanoseconds: the earliest span, else the clock's anchor."""
        spans = self.spans()
        return min(spans[0].start_ns, self.header.clock.wall_ns) if spans else self.header.clock.wall_ns

    @property
    def end_ns(self) -> int:
        """The last instant that anything is known of."""
        latest = max((s.end_ns or s.start_ns for s in self.spans()), default=self.start_ns)
        log = self.terminal_log()
        if len(log):
            latest = max(latest, self.terminal_start_ns() + int(log.last_time_s * 1e9))
        return latest

    def terminal_text(self, max_chars: int = 4096) -> str:
        """The end of the terminal's output as plain text, without escape sequences."""
        tail: list[str] = []
        size = 0
        for event in reversed(self.terminal_events()):
            if event.code == "o":
                tail.append(event.data)
                size += len(event.data)
                if size > max_chars * 4:
                    break
        return plain_text("".join(reversed(tail)))[-max_chars:]

    def logs(self) -> Sequence[LogRecord]:
        """Log records that the agent emitted, by time."""
        return self._logs.all()

    def patch(self) -> str:
        """workspace.patch as text; "" when there is none."""
        return self._file(layout.PATCH).decode("utf-8", "replace")

    def changes(self) -> Mapping[str, Any]:
        """What changed on disk: `added`, `removed`, `modified`, `extra_git_dir`, `cut`; {} when it is unknown."""
        return self._artifact(layout.CHANGES)

    def verification(self) -> Mapping[str, Any]:
        """What the tests said; {} when they were not run."""
        return self._artifact(layout.VERIFIER)

    def assistant_texts(self) -> Sequence[str]:
        """What the model said, call by call, as far as bodies were recorded."""
        texts = []
        for call in self.calls():
            for message in self.call_body(call.call_id).output_messages or ():
                texts += [str(p.get("content", "")) for p in message.get("parts", ()) if p.get("type") == "text"]
        return texts

    def warnings(self) -> Sequence[str]:
        """What is wrong with the record itself, one sentence each."""
        found = list(self.header.warnings)
        lost = self.header.completeness.lost
        if lost.total:
            found.append(f"{lost.total} records could not be written ({lost.first_error}).")
        if self.aborted:
            found.append("The recorder died before it closed this run; `cabtrace recover` closes it.")
        found += self._spans.warnings()
        found += _file_warnings(
            layout.TERMINAL,
            self._cast.file,
            self._cast.reader.bad_lines,
            live=self.live,
        )
        found += self._logs.warnings(live=self.live)
        return found

    def _file(self, name: str) -> bytes:
        try:
            return read_regular(self.path / name, _ARTIFACT_BYTES)
        except OSError:
            return b""

    def _artifact(self, name: str) -> Mapping[str, Any]:
        try:
            value = orjson.loads(self._file(f"{layout.ARTIFACTS}/{name}") or b"{}")
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) and not nests_deeper(value, DEFAULT.json_depth) else {}


def _file_warnings(name: str, lines: LineFile, bad: Sequence[int], *, live: bool) -> list[str]:
    found = []
    if lines.torn_bytes and not live:
        found.append(f"{name} ends in the middle of a record ({lines.torn_bytes} bytes); everything before it is shown.")
    if bad or lines.long_lines:
        numbers = sorted({*bad, *lines.long_lines})
        found.append(f"{name}: {len(numbers)} unreadable lines were skipped (line {', '.join(map(str, numbers[:5]))}).")
    return found


def read_header(path: Path) -> RunHeader:
    """run.json of a run directory. Raises NotARunError or SchemaTooNewError."""
    try:
        raw = orjson.loads(read_regular(path / layout.RUN, _RUN_JSON_BYTES))
    except OSError as error:
        raise NotARunError(f"{path} is not a readable run ({error.strerror or error}).") from error
    except orjson.JSONDecodeError as error:
        why = "it has no run.json" if not (path / layout.RUN).exists() else f"run.json is not JSON: {error}"
        raise NotARunError(
            f"{path} is not a run: {why}.",
            hint="`cabtrace ls` lists the runs of the store.",
        ) from error
    if nests_deeper(raw, DEFAULT.json_depth):
        raise NotARunError(f"{path} is not a run: run.json nests deeper than {DEFAULT.json_depth} levels.")
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT or not isinstance(version, int):
        raise NotARunError(f"{path} is not a run: run.json has no `format: {FORMAT}` and `schema_version`.")
    if version > SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"{path} was written by a later cabtrace (schema {version}, this one reads up to {SCHEMA_VERSION}).",
            hint="Update cabtrace; the run was left untouched.",
        )
    try:
        return decode(RunHeader, raw)
    except DecodeError as error:
        raise NotARunError(f"{path}/run.json: {error}.") from error
