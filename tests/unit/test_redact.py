"""Texts: every kind of secret is found and named, harmless texts are left alone, and no input is slow."""

from __future__ import annotations

import base64
import json
import threading
import time
from urllib.parse import quote

import pytest

from cabtrace.redact import Redactor
from tests.security.secrets_corpus import FakeSecret, benign_texts, fake_secrets, known_values

SECRETS = fake_secrets()


def redactor() -> Redactor:
    return Redactor(known_values(SECRETS))


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("say ", " now\n"),
        ('{"content": "', '"}'),
        ("\\n", "\\n"),
        ("\x1b[31m", "\x1b[0m"),
        ("(", " )"),
        ("x=", "\n"),
        ("%20", " "),
    ],
)
def test_every_secret_is_found_and_named_wherever_it_stands(secret: FakeSecret, before: str, after: str) -> None:
    r = redactor()

    shown = r.text(f"{before}{secret.carrier}{after}")

    assert secret.value not in shown
    assert f"[redacted:{secret.rule}]" in shown
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert r.counts == {secret.rule: 1}


def test_there_are_forty_secrets_with_all_rules_found_for_other_seeds_too() -> None:
    assert len(SECRETS) == 40
    for seed in range(25):
        others = fake_secrets(seed)
        r = Redactor(known_values(others))
        shown = r.text("\n".join(f"line {secret.carrier} end" for secret in others))

        assert [secret.name for secret in others if secret.value in shown] == []
        assert set(r.counts) == {secret.rule for secret in others}


def test_redacting_twice_changes_nothing() -> None:
    r = redactor()
    for secret in SECRETS:
        once = r.text(f"a {secret.carrier} b")
        before = dict(r.counts)

        assert r.text(once) is once
        assert r.counts == before


def test_a_thousand_harmless_texts_are_left_alone() -> None:
    r = redactor()
    texts = benign_texts()

    altered = [text for text in texts if r.text(text) != text]

    assert len(texts) == 1_000
    assert len(altered) <= 5, altered
    assert r.text(texts[0]) is texts[0]


@pytest.mark.parametrize(
    "text",
    [
        "password = getpass()",
        "password: str",
        "api_key=os.environ['X_API_KEY']",
        "api_key=settings.api_key",
        "OPENAI_API_KEY=$OPENAI_API_KEY",
        "export OPENAI_API_KEY=<your key>",
        "token: next_token",
        "the secret: everything",
        "authorization: required by the server",
        "Bearer authentication_is_needed_here",
        "http://localhost:8080/path@x",
        "git clone https://oauth2:${GITLAB_TOKEN}@gitlab.example/x",
        "disk-0123456789abcdef0123456789abcdef",
        "sk-learn-pipelines-are-documented-here",
        "monkey=Ab1Ab1Ab1Ab1Ab1Ab1",
        "PRIMARY_KEY=Ab1Ab1Ab1Ab1Ab1Ab1",
        "looks for -----BEGIN PRIVATE KEY----- in files, and more",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2", "password=[redacted:assignment]"),
        ("DB_PASSWORD: 'corn-flake'", "DB_PASSWORD: '[redacted:assignment]'"),
        ("tool --api-key abc123def --verbose", "tool --api-key [redacted:assignment] --verbose"),
        (r"{\"api_key\": \"hunter22\"}", r"{\"api_key\": \"[redacted:assignment]\"}"),
        ("API_KEY_2=abcdefgh", "API_KEY_2=[redacted:assignment]"),
        ("x-api-key: ab12cd34\r\n", "x-api-key: [redacted:assignment]\r\n"),
        ("Set-Cookie: sid=abcdef12; Path=/", "Set-Cookie: [redacted:cookie]"),
        ("redis://:pass1word@cache:6379", "redis://:[redacted:url-credentials]@cache:6379"),
    ],
)
def test_what_a_name_gives_away_is_replaced_and_the_name_stays(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


def test_a_known_value_is_found_in_all_its_forms() -> None:
    value = 'p@ss/w+rd "é" 77'
    r = Redactor({"MY_SECRET": value})
    forms = [
        value,
        quote(value, safe=""),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(value))[3:-3],
        *(base64.b64encode(b"x" * n + value.encode() + b"tail").decode() for n in range(3)),
        *(base64.urlsafe_b64encode(b"x" * n + value.encode() + b"tail").decode() for n in range(3)),
        value.encode().hex(),
    ]

    for form in forms:
        assert "[redacted:MY_SECRET]" in r.text(f"<{form}>"), form


def test_the_longest_known_value_wins() -> None:
    r = Redactor({"short": "abcdef12", "long": "abcdef12-and-more"})

    assert r.text("x abcdef12-and-more y abcdef12 z") == "x [redacted:long] y [redacted:short] z"


def test_short_and_common_values_are_not_secrets() -> None:
    r = Redactor(["true", "false", "12345", "abc", "", "localhost", "aaaaaaaa"])

    text = "true false 12345 abc localhost aaaaaaaa"
    assert r.text(text) == text


def test_a_secret_learnt_later_is_known_from_then_on() -> None:
    r = Redactor()
    assert r.text("pear-tree-9") == "pear-tree-9"

    r.add("pear-tree-9", "garden")

    assert r.text("a pear-tree-9 b") == "a [redacted:garden] b"


def test_line_wraps_do_not_hide_a_known_value() -> None:
    value = "plum-" + "0a1b2c3d" * 12
    wrapped = base64.encodebytes(value.encode()).decode()
    r = Redactor({"K": value})

    assert "\n" in wrapped.strip()
    assert r.text(f"$ base64 key\n{wrapped}$ ") == "$ base64 key\n[redacted:K]\n$ "
    assert r.text(f"│ {value[:40]}   │\r\n│ {value[40:]} │") == "│ [redacted:K] │"


def test_paths_are_shortened_and_not_counted() -> None:
    r = Redactor(paths={"/home/ann": "~", "/home/ann/scratch/x1/": "<workdir>"})

    assert r.text("/home/ann/a /home/ann/scratch/x1/b /home/anna /home/ann") == "~/a <workdir>/b /home/anna ~"
    assert r.counts == {}


def test_threads_may_share_a_redactor() -> None:
    r = Redactor()

    def work(number: int) -> None:
        for turn in range(50):
            r.add(f"value-{number}-{turn}-secret")
            assert f"value-{number}-{turn}" not in r.text(f"see value-{number}-{turn}-secret")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(r.counts.values()) == 200


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "=",
        "sk-",
        "sk-a1",
        "eyJ-",
        "eyJaaaaaaaaaaaaaa.",
        "SG.",
        "key=",
        "KEY:",
        'KEY="',
        "password:a1",
        "://a:",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "\x1b[",
        "\x1b]",
        "\x1bP",
        " \r\n",
        "│ ",
        "authorization: ",
        "s3cr3t",
        "\u0130",
        "\\",
    ],
)
def test_time_grows_with_the_length_and_not_with_its_square(unit: str) -> None:
    r = Redactor(["s3cr3tvalue", "aaaaaaab"])

    def seconds(count: int) -> float:
        text = unit * (count // len(unit))
        started = time.process_time()
        r.text(text)
        stream = r.stream()
        for at in range(0, len(text), 4_096):
            stream.feed(at, text[at : at + 4_096])
        stream.close()
        return time.process_time() - started

    # Sixteen times the text: a square would take 256 times as long. The constant forgives a small clock.
    assert seconds(256_000) <= 64 * seconds(16_000) + 0.5
