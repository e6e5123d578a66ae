"""logs.jsonl as a reader takes it: in order of time, only what is new, and what is damaged is skipped and said."""

from __future__ import annotations

from pathlib import Path

from cabtrace.model.log import LogRecord
from cabtrace.model.otlp_lines import log_line
from cabtrace.store.logs import LogTable


def write(path: Path, *lines: bytes, mode: str = "ab") -> None:
    with (path / "logs.jsonl").open(mode) as handle:
        handle.writelines(lines)


def bodies(table: LogTable) -> list[object]:
    return [log.body for log in table.all()]


def test_no_file_is_no_record(tmp_path: Path):
    table = LogTable(tmp_path)
    assert bodies(table) == []
    assert table.warnings(live=False) == []


def test_by_time_and_what_was_appended(tmp_path: Path):
    table = LogTable(tmp_path)
    write(
        tmp_path, log_line(LogRecord(time_ns=9, body="last")), log_line(LogRecord(observed_ns=5, body="first", span_id="AB" * 8))
    )
    assert bodies(table) == ["first", "last"]
    write(tmp_path, log_line(LogRecord(time_ns=7, body="between")))
    assert bodies(table) == ["first", "between", "last"]
    assert bodies(table) == ["first", "between", "last"]
    (tmp_path / "logs.jsonl").unlink()
    write(tmp_path, log_line(LogRecord(time_ns=1, body="sealed")))
    assert bodies(table) == ["sealed"]


def test_damage_is_skipped_and_said(tmp_path: Path):
    table = LogTable(tmp_path)
    deep = b'{"resourceLogs": ' + b"[" * 2_000 + b"]" * 2_000 + b"}\n"
    write(
        tmp_path,
        b"junk\n",
        b"[]\n",
        deep,
        log_line(LogRecord(body="kept")),
        b'{"resourceLogs": [{"scopeLogs": [3]}]}\n',
        b'{"torn',
    )
    assert bodies(table) == ["kept"]
    torn, unreadable = table.warnings(live=False)
    assert "middle of a record (6 bytes)" in torn
    assert "4 unreadable lines were skipped (line 1, 2, 3, 5)" in unreadable
    assert len(table.warnings(live=True)) == 1
