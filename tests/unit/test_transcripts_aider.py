"""aider's histories: what it did with each answer, as it tells it nowhere else. Recorded from a real run with four answers."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from cabtrace.agents.transcripts import aider
from cabtrace.agents.transcripts.aider_history import exchanges
from cabtrace.protocols import Transcript, TranscriptToolCall
from tests.support.transcripts import FIXTURES

CHAT = (FIXTURES / "aider-repairs.md").read_text("utf-8")
LOG = (FIXTURES / "aider-repairs.log").read_text("utf-8")
TEST = "grep -qx hello hello.txt || { echo got; cat hello.txt; exit 3; }"


def read(home: Path, chat: str = CHAT, log: str | None = LOG) -> Transcript:
    folder = home / ".aider-cell"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chat.md").write_text(chat, "utf-8")
    if log is not None:
        (folder / "llm.log").write_text(log, "utf-8")
    return aider.read(home)


def said(call: TranscriptToolCall) -> tuple[str, object, int | None]:
    return call.name, orjson.loads(call.arguments) if call.arguments else None, call.model_call


def test_each_answer_has_what_aider_did_with_it(tmp_path: Path) -> None:
    found = read(tmp_path)

    malformed, edit, lint, *later = found.tool_calls
    name, arguments, number = said(malformed)
    assert (name, number) == ("edit", 0)
    assert "I will write it." in arguments["answer"]  # type: ignore[index]  # an object
    assert malformed.error == malformed.result == "No filename provided before ``` in file listing"
    assert said(edit) == ("edit", {"path": "greet.py"}, 1)
    assert (edit.result, edit.error) == ("Applied edit to greet.py", "")
    assert said(lint) == ("lint", {"paths": ["greet.py"]}, 1)
    assert "SyntaxError: invalid syntax" in lint.error
    assert "E999" in lint.error
    assert sorted(map(str, map(said, later))) == sorted(
        map(
            str,
            [
                ("edit", {"path": "greet.py"}, 2),
                ("edit", {"path": "hello.txt"}, 2),
                ("test", {"command": TEST}, 2),
                ("edit", {"path": "hello.txt"}, 3),
            ],
        )
    )
    (tested,) = [call for call in later if call.name == "test"]
    assert tested.result == tested.error == "got\nHello!"
    assert (found.model_calls, found.input_tokens, found.output_tokens) == (4, None, None)
    assert len({call.tool_call_id for call in found.tool_calls}) == len(found.tool_calls)
    assert all(call.started_ns is None and call.ended_ns is None for call in found.tool_calls)
    assert found.problems == ()


def test_what_a_model_says_does_not_pass_for_what_aider_did(tmp_path: Path) -> None:
    assert "> Applied edit to spoof.txt" in CHAT
    assert "> Tokens: 1 sent, 2 received." in CHAT

    found = read(tmp_path)

    assert not any("spoof" in call.result for call in found.tool_calls)


OTHERS = {
    "missing": None,
    "empty": "",
    "half": LOG[: len(LOG) // 2],
    "of another chat": "TO LLM 2026-11-22T00:00:00\nLLM RESPONSE 2026-11-22T00:00:01\nASSISTANT never said\n",
}


@pytest.mark.parametrize("which", OTHERS)
def test_with_half_of_the_other_history_or_none_edits_are_known_all_the_same(which: str, tmp_path: Path) -> None:
    log = OTHERS[which]
    chat = CHAT.replace("> Applied edit to spoof.txt\n\n> Tokens: 1 sent, 2 received.\n\n", "")
    if log:
        log = log.replace("ASSISTANT > Applied edit to spoof.txt\nASSISTANT \nASSISTANT > Tokens: 1 sent, 2 received.\n", "")

    found = read(tmp_path, chat, log)

    assert "Applied edit to greet.py" in {call.result for call in found.tool_calls}
    assert not any("I will write it" in call.result for call in found.tool_calls)


def test_a_request_without_an_answer_counts_for_nothing(tmp_path: Path) -> None:
    """The endpoint failed twice, or the agent was killed while it waited."""
    failed = "TO LLM 2026-11-22T17:50:40\n-------\nUSER Hi\nLLM RESPONSE 2026-11-22T17:50:41\n\n"
    waiting = "TO LLM 2026-11-22T17:59:59\n-------\nUSER Hi\n"

    found = read(tmp_path, CHAT, failed + failed + LOG + waiting)

    assert found == read(tmp_path / "plain")


def test_a_command_is_known_although_aiders_rules_stand_behind_its_output() -> None:
    told = "I ran this command:\n\nmake\n\nAnd got this output:\n\nbroken"
    messages = [told, told + "\n\n\nRules without end."]
    log = "TO LLM 2026-11-22T17:50:40\n" + "".join(
        "-------\n" + "\n".join(f"USER {line}" for line in message.splitlines()) + "\n" for message in messages
    )

    assert [exchange.ran for exchange in exchanges(log)] == [("make", "broken")]


def test_a_chat_of_megabytes_of_edits_takes_no_time(tmp_path: Path) -> None:
    chat = (
        "> Tokens: 1 sent, 1 received.\n"
        + "> Applied edit to a.py\n" * 60_000
        + "> # Fix any errors below, if possible.\n" * 5_000
    )
    answers = "TO LLM 2026-11-22T17:50:40\nLLM RESPONSE 2026-11-22T17:50:41\nASSISTANT no such\n" * 20_000
    began = time.process_time()

    found = read(tmp_path, chat, answers)

    assert len(found.tool_calls) == 60_000
    assert time.process_time() - began < 60  # it was hours where it is quadratic
