"""Streams: no split hides a secret, nothing clean is lost, delayed or changed, and times are those of arrival."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from itertools import pairwise

import pytest

from cabtrace.redact import Redactor
from tests.security.secrets_corpus import FakeSecret, benign_texts, fake_secrets, known_values

SECRETS = fake_secrets()
REDACTOR = Redactor(known_values(SECRETS))
NOISE = re.compile(r"\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[A-Za-z]|[\r\n│ ]")


def stream(redactor: Redactor, pieces: Iterable[str]) -> list[tuple[int, str]]:
    running = redactor.stream()
    out: list[tuple[int, str]] = []
    for time_ns, piece in enumerate(pieces):
        out += running.feed(time_ns, piece)
    return out + running.close()


def joined(redactor: Redactor, pieces: Iterable[str]) -> str:
    return "".join(text for _, text in stream(redactor, pieces))


def cut(text: str, positions: Iterable[int]) -> list[str]:
    edges = [0, *sorted(positions), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_every_split_offset_of_every_secret(secret: FakeSecret) -> None:
    text = f"$ cat {secret.carrier} done\r\n"
    expected = REDACTOR.text(text)

    assert secret.value not in expected
    assert [at for at in range(len(text) + 1) if joined(REDACTOR, cut(text, [at])) != expected] == []
    assert joined(REDACTOR, text) == expected  # character by character, as it is typed


def test_any_number_of_splits_gives_what_the_whole_text_gives() -> None:
    rng = random.Random(11)
    harmless = benign_texts(200)
    glue = [
        " ",
        "\n",
        "\r\n",
        "\x1b[0m",
        "\x1b[1;32m",
        "=",
        ": ",
        '"',
        "\\n",
        ", ",
        "key=",
        "token: ",
        "-----",
        "sk-",
        "eyJ",
        "://",
    ]
    for _ in range(400):
        parts: list[str] = []
        for _ in range(rng.randrange(1, 6)):
            parts += (rng.choice((rng.choice(SECRETS).carrier, rng.choice(harmless)[:200])), rng.choice(glue))
        text = "".join(parts)

        assert joined(REDACTOR, cut(text, rng.choices(range(len(text) + 1), k=rng.randrange(30)))) == REDACTOR.text(text)


@pytest.mark.parametrize(
    "inserted", ["\x1b[31m", "\r\n", "  │\r\n│ ", "\x1b]0;t\x07", "\x1b[0m\r\n\x1b[34m│\x1b[0m ", "\x1b[K\x1b[2;1H", "\r"]
)
def test_what_a_terminal_inserts_does_not_hide_a_known_value(inserted: str) -> None:
    for secret in (secret for secret in SECRETS if secret.known):
        for at in range(1, len(secret.value)):
            text = f"x {secret.value[:at]}{inserted}{secret.value[at:]} y"
            for shown in (joined(REDACTOR, text), joined(REDACTOR, cut(text, [at, at + 3])), REDACTOR.text(text)):
                assert secret.value.replace(" ", "") not in NOISE.sub("", shown)
                assert shown.startswith("x ")
                assert shown.endswith(" y")


def test_colour_inside_a_key_does_not_hide_it() -> None:
    for secret in (secret for secret in SECRETS if not secret.known):
        at = secret.carrier.index(secret.value) + len(secret.value) // 2
        text = f"x {secret.carrier[:at]}\x1b[1;31m{secret.carrier[at:]} y"

        assert secret.value not in NOISE.sub("", joined(REDACTOR, text))


def test_harmless_text_comes_out_as_it_went_in() -> None:
    rng = random.Random(3)
    for text in benign_texts():
        assert joined(REDACTOR, cut(text, rng.choices(range(len(text) + 1), k=rng.randrange(8)))) == text


def test_each_piece_keeps_the_time_at_which_it_arrived() -> None:
    running = Redactor(["pear-tree"]).stream()

    assert running.feed(10, "one ") == [(10, "one ")]
    assert running.feed(20, "two pea") == [(20, "two ")]
    assert running.feed(30, "r") == []
    assert running.feed(40, "l three") == [(20, "pea"), (30, "r"), (40, "l three")]
    assert running.close() == []


def test_a_secret_has_the_time_at_which_it_began() -> None:
    running = Redactor({"K": "pear-tree"}).stream()

    assert running.feed(10, "a pear") == [(10, "a ")]
    assert running.feed(20, "-tree") == [(10, "[redacted:K]")]
    assert running.feed(30, " b") == [(30, " b")]


def test_what_is_held_back_comes_out_at_the_end() -> None:
    running = Redactor(["pear-tree"]).stream()

    assert running.feed(1, "a pear-tre") == [(1, "a ")]
    assert running.close() == [(1, "pear-tre")]
    assert running.close() == []


def test_a_cut_secret_at_the_end_is_not_let_go_when_its_format_is_already_told() -> None:
    key = "sk-" + "ant-" + "api03-" + "aB3dE5fG" * 6

    assert joined(Redactor(), [f"x {key[:40]}"]) == "x [redacted:anthropic]"


def test_plain_output_is_not_delayed() -> None:
    running = Redactor(["Xylophone-9"], paths={"/home/ann": "~"}).stream()

    for text in ("$ ls\r\n", "README.md\r\n", "done. ", "100% \r", "\x1b[2K\x1b[1G", "⠋ Working… "):
        assert running.feed(1, text) == [(1, text)]


@pytest.mark.parametrize("tail", ["", " end"])
def test_a_secret_longer_than_what_is_held_back_is_never_let_go(tail: str) -> None:
    key = "sk-" + "ant-" + "aB3dE5fG" * 4_000
    text = f"x {key}{tail}"
    for size in (1_000, 7_777):
        shown = joined(Redactor(), cut(text, range(size, len(text), size)))

        assert shown == f"x [redacted:anthropic]{tail}"


def test_a_private_key_block_longer_than_what_is_held_back_is_redacted_as_it_goes() -> None:
    kind = "PRIVATE " + "KEY"
    lines = ["aB3+dE5/fG7h" * 5 + "wxyz"] * 1_200
    text = "\n".join(("first", f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", "last (line)"))
    running = Redactor().stream()
    shown, held = "", 0
    for at in range(0, len(text), 500):
        shown += "".join(piece for _, piece in running.feed(at, text[at : at + 500]))
        held = max(held, at + 500 - len(shown)) if "[redacted" not in shown else held
    shown += "".join(piece for _, piece in running.close())

    assert shown == "first\n[redacted:private-key]\nlast (line)"
    assert held <= 17 * 1024


def test_a_long_word_that_only_begins_like_a_key_comes_out_whole() -> None:
    text = "sk-" + "a" * 20_000 + " end"

    assert joined(Redactor(), cut(text, range(0, len(text), 999))) == text


def test_a_secret_learnt_while_the_stream_runs_is_heeded() -> None:
    r = Redactor()
    running = r.stream()
    out = running.feed(1, "see ")
    r.add("pear-tree", "garden")
    out += running.feed(2, "pear-tr") + running.feed(3, "ee now")

    assert "".join(text for _, text in out + running.close()) == "see [redacted:garden] now"


def test_a_key_after_a_long_text_needs_its_name_only_shortly_before() -> None:
    running = Redactor().stream()
    shown = "".join(
        text for _, text in running.feed(1, "word " * 5_000 + "MY_API_KEY=") + running.feed(2, "abcdef12") + running.close()
    )

    assert shown.endswith("MY_API_KEY=[redacted:assignment]")


def test_a_known_value_that_begins_inside_a_longer_secret_is_not_let_go() -> None:
    key = "sk-" + "ant-" + "aB3dE5fG" * 1_000
    text = f"x {key}pear!tree!garden y"
    r = Redactor(["pear!tree!garden"])

    for size in (1, 7, 500, 4_096):
        shown = joined(r, cut(text, range(size, len(text), size)))

        assert shown in {"x [redacted:anthropic] y", "x [redacted:known] y"}
