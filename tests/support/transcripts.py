"""Recorded transcripts of the real CLIs (made with the scripted model, shortened), laid into a home as the CLI leaves them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "transcripts"
PLACES = {
    "claude-code": ("claude-code.jsonl", ".claude/projects/-cell-workdir/88ac0b42.jsonl"),
    "codex": ("codex.jsonl", ".codex/sessions/2026/11/22/rollout-2026-11-22T14-57-39-01a203c3.jsonl"),
    "copilot": ("copilot.jsonl", ".copilot/session-state/55c8f35c/events.jsonl"),
    "gemini": ("gemini.jsonl", ".gemini/tmp/workdir/chats/session-2026-11-22T14-57-0e7952b6.jsonl"),
    "qwen": ("qwen.jsonl", ".qwen/projects/-cell-workdir/chats/165737ad.jsonl"),
    "mini-swe-agent": ("mini-swe-agent.json", ".mini-swe-agent/trajectory.json"),
    "aider": ("aider.md", ".aider-cell/chat.md"),
    "opencode": ("opencode.jsonl", ".local/share/opencode/opencode.db.jsonl"),
}
TABLES = """
CREATE TABLE session (id text PRIMARY KEY, parent_id text, title text NOT NULL, version text NOT NULL,
    time_created integer NOT NULL, time_updated integer NOT NULL);
CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL, data text NOT NULL);
CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL,
    time_created integer NOT NULL, data text NOT NULL);
CREATE TABLE account (id text PRIMARY KEY, access_token text NOT NULL);
"""


def recorded(agent: str) -> bytes:
    """The fixture's bytes."""
    return (FIXTURES / PLACES[agent][0]).read_bytes()


def lay(agent: str, home: Path, data: bytes | None = None) -> Path:
    """Writes the fixture, or other bytes in its place; hands back the file."""
    path = home / PLACES[agent][1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(recorded(agent) if data is None else data)
    return path


def lay_opencode_database(home: Path) -> Path:
    """The same rows in a database, half of them in its write-ahead log as after a kill."""
    path = home / ".local/share/opencode/opencode.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    living = path.with_name("living.db")
    connection = sqlite3.connect(living)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(TABLES)
    connection.execute("INSERT INTO account VALUES ('a', 'secret-of-an-account')")
    for line in recorded("opencode").splitlines():
        row = json.loads(line)
        table = row.pop("table")
        values = [json.dumps(value) if isinstance(value, dict) else value for value in row.values()]
        connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", values)
    connection.commit()
    for suffix in ("", "-wal"):  # copied while it is open: what a killed process leaves
        path.with_name(path.name + suffix).write_bytes(living.with_name(living.name + suffix).read_bytes())
    connection.close()
    living.unlink()
    return path
