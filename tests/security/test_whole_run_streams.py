"""A secret that a model says piece by piece: wherever the pieces are cut, in every API's events, none of it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.redact import Redactor
from cabtrace.runner.sse_redaction import SseRedactor
from tests.security.secrets_corpus import fake_secrets, known_values

SECRETS = fake_secrets()


def chat(text: str) -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}


def chat_arguments(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}]}


def responses(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text}


def messages(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": text}}


def gemini(text: str) -> dict[str, Any]:
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}]}


APIS: dict[str, tuple[Callable[[str], dict[str, Any]], Callable[[dict[str, Any]], str]]] = {
    "chat": (chat, lambda d: d["choices"][0]["delta"]["content"]),
    "chat arguments": (chat_arguments, lambda d: d["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]),
    "responses": (responses, lambda d: d["delta"]),
    "messages": (messages, lambda d: d["delta"]["partial_json"]),
    "gemini": (gemini, lambda d: d["candidates"][0]["content"]["parts"][0]["text"]),
}


def events(api: str, pieces: list[str], end: str = "\n\n") -> list[str]:
    return [f"data: {json.dumps(APIS[api][0](piece))}{end}" for piece in pieces]


def cleaned(redactor: Redactor, stream: list[str]) -> list[tuple[int, str]]:
    stream_redactor = SseRedactor(redactor)
    out = [piece for at, text in enumerate(stream) for piece in stream_redactor.feed(at, text)]
    return [*out, *stream_redactor.close(len(stream))]


def said(api: str, text: str) -> str:
    return "".join(APIS[api][1](json.loads(line[6:])) for line in text.splitlines() if line.startswith("data: {"))


@pytest.mark.parametrize("api", APIS)
def test_every_cut_of_every_secret(api: str) -> None:
    redactor = Redactor(known_values(SECRETS))
    for secret in SECRETS:
        whole = f"see {secret.carrier} there"
        for cut in range(1, len(whole), 1 if len(whole) < 120 else 29):
            got = "".join(text for _, text in cleaned(redactor, events(api, [whole[:cut], whole[cut:]])))
            assert secret.value not in said(api, got), (secret.name, cut)
            assert "[redacted:" in said(api, got), (secret.name, cut)


@pytest.mark.parametrize("size", [1, 3, 16])
def test_small_pieces_of_every_secret(size: int) -> None:
    redactor = Redactor(known_values(SECRETS))
    for secret in SECRETS:
        whole = f"see {secret.carrier} there"
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        got = said("chat", "".join(text for _, text in cleaned(redactor, events("chat", pieces))))
        assert secret.value not in got, secret.name
        assert got.startswith("see ")
        assert got.endswith(" there")


@given(st.lists(st.text(max_size=12), max_size=12), st.sampled_from(sorted(APIS)), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_what_holds_no_secret_comes_back_byte_for_byte(pieces: list[str], api: str, end: str) -> None:
    stream = ["event: x\n", *events(api, pieces, end), ": comment\n", "data: [DONE]\n\n", "data: {cut"]

    out = cleaned(Redactor(), stream)

    if "[redacted:" not in (text := "".join(text for _, text in out)):
        assert text == "".join(stream)
    assert [at for at, _ in out] == sorted(at for at, _ in out)


def test_clean_pieces_keep_their_times_and_are_not_held_back() -> None:
    redactor = SseRedactor(Redactor())
    stream = events("chat", ["Hello ", "world, ", "how ", "are ", "you? "])

    for at, text in enumerate(stream):
        assert redactor.feed(at, text) == [(at, line) for line in text.splitlines(keepends=True)]
    assert redactor.close(9) == []


def test_two_choices_and_two_calls_are_two_texts() -> None:
    key = SECRETS[0].value
    half = len(key) // 2
    stream = [
        f"data: {json.dumps({'choices': [{'index': i, 'delta': {'content': part}} for i in (0, 1)]})}\n\n"
        for part in (key[:half], key[half:], " end ")
    ]
    other = {"choices": [{"index": 0, "delta": {"content": "x"}}, {"index": 0, "delta": {"content": "y"}}]}

    got = "".join(text for _, text in cleaned(Redactor(), [*stream, f"data: {json.dumps(other)}\n\n"]))

    documents = [json.loads(line[6:]) for line in got.splitlines() if line]
    for choice in (0, 1):
        whole = "".join(d["choices"][choice]["delta"]["content"] for d in documents)
        assert whole.startswith("[redacted:anthropic] end ")
    assert [c["delta"]["content"] for c in documents[-1]["choices"]] == ["x", "y"]


@pytest.mark.parametrize(
    "text",
    [
        "data: " + "x" * 3_000_000,
        "data: {" + '"a":[' * 400 + "]" * 400 + "}\n",
        "data: [1]\n",
        "data: 5\ndata: null\n",
        "\n\n\n",
        "data:\n",
        'data: {"choices":[{"index":"x","delta":{"content":5}}],"type":{"a":1}}\n',
        "data: \x00\ud800\n",
    ],
)
def test_odd_streams_pass_as_they_are(text: str) -> None:
    assert "".join(piece for _, piece in cleaned(Redactor(), [text])) == text
