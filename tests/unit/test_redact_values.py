"""JSON-like values and command lines: names tell secrets, structure is kept, what is clean is shared."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from cabtrace.redact import Redactor

KEY = "sk-" + "ant-" + "api03-" + "aB3dE5fG" * 6


def test_values_and_keys_are_redacted_at_any_depth() -> None:
    value = {"a": [1, ({"b": f"x {KEY}"},)], KEY: None}

    assert Redactor().value(value) == {"a": [1, ({"b": "x [redacted:anthropic]"},)], "[redacted:anthropic]": None}


def test_what_holds_no_secret_is_the_same_object() -> None:
    clean = {"messages": [{"role": "user", "content": "hello"}], "n": 1.5, "t": ("a", None, True)}
    mixed = {"clean": clean, "other": KEY}

    result = Redactor().value(mixed)

    assert Redactor().value(clean) is clean
    assert result["clean"] is clean
    assert mixed["other"] == KEY


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Proxy-Authorization",
        "api_key",
        "apiKey",
        "x-api-key",
        "X-Goog-Api-Key",
        "cookie",
        "Set-Cookie",
        "password",
        "DB_PASSWORD",
        "client_secret",
        "access_token",
        "refreshToken",
        "GITHUB_TOKEN",
        "aws_secret_access_key",
        "private_key",
    ],
)
def test_a_string_under_the_name_of_a_secret_goes_whole(name: str) -> None:
    r = Redactor()

    assert r.value({name: "in the clear"}) == {name: "[redacted:field]"}
    assert r.value({name: ["one", "two"]}) == {name: ["[redacted:field]"] * 2}
    assert r.value({"headers": [[name, "in the clear"]]}) == {"headers": [[name, "[redacted:field]"]]}
    assert r.value({"key": name, "value": {"stringValue": "x"}})["key"] == name
    assert r.value([{"name": name, "value": "in the clear"}]) == [{"name": name, "value": "[redacted:field]"}]


@pytest.mark.parametrize(
    "value",
    [
        {"max_tokens": "many", "prompt_tokens": "12", "token_count": "3", "tokens": "a b"},
        {"author": "ann", "authors": ["ann", "bob"], "authentication": "none"},
        {"token": " hello", "logprob": -0.5},
        {"key": "service.name", "value": {"stringValue": "cabtrace"}},
        {"next_page_token": "abc", "eos_token": "</s>", "primary_key": "id", "key": "a"},
        {"session_id": "0b8f7d4e-8a55-4a39-9a83-0a3fd1f3c1aa", "cache_key": "f" * 64},
        {"password": "", "api_key": None, "secret": {"type": "string"}},
    ],
)
def test_everyday_names_are_not_names_of_secrets(value: Any) -> None:
    assert Redactor().value(value) is value


def test_two_keys_that_become_the_same_are_both_kept() -> None:
    other = KEY[:-1] + "Z"

    assert Redactor().value({KEY: 1, other: 2}) == {"[redacted:anthropic]": 1, "[redacted:anthropic]#2": 2}


def test_named_tuples_and_other_objects_keep_their_type() -> None:
    class Pair(NamedTuple):
        left: str
        right: object

    marker = object()
    result = Redactor().value(Pair(KEY, marker))

    assert result == Pair("[redacted:anthropic]", marker)
    assert type(result) is Pair


def test_a_value_of_any_depth_ends_well() -> None:
    value: Any = KEY
    for _ in range(5_000):
        value = [value]

    result = Redactor().value(value)

    while isinstance(result, list):
        result = result[0]
    assert result == "[redacted:depth]"


def test_redacting_a_value_twice_changes_nothing() -> None:
    r = Redactor()
    once = r.value({"authorization": "Bearer abc", "x": [KEY], KEY: {"password": "p"}})

    assert r.value(once) is once


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["a", "--api-key", "V", "b"], ("a", "--api-key", "[redacted:argument]", "b")),
        (["a", "--token=V", "b"], ("a", "--token=[redacted:argument]", "b")),
        (["env", "OPENAI_API_KEY=V", "x"], ("env", "OPENAI_API_KEY=[redacted:argument]", "x")),
        (["docker", "run", "-e", "DB_PASSWORD=V"], ("docker", "run", "-e", "DB_PASSWORD=[redacted:argument]")),
        (["curl", "-u", "ann:V", "u"], ("curl", "-u", "ann:[redacted:argument]", "u")),
        (["curl", "-H", "Authorization: Bearer abcdef"], ("curl", "-H", "Authorization: Bearer [redacted:authorization]")),
        (["x", f"--config={KEY}"], ("x", "--config=[redacted:anthropic]")),
        (["x", "--max-tokens", "100", "--author=ann"], ("x", "--max-tokens", "100", "--author=ann")),
        (["x", "--password", "--verbose"], ("x", "--password", "--verbose")),
        ([], ()),
    ],
)
def test_command_lines(argv: list[str], expected: tuple[str, ...]) -> None:
    r = Redactor()

    assert r.argv(argv) == expected
    assert r.argv(expected) == expected
