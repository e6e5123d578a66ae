"""Terminal output of any kind, by a seed: valid, broken, nested, far too large."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.security.escapes_corpus import payloads

Write = bytes | tuple[int, int]  # output, or a new size

_FINALS = "ABCDEFGHIJKLMPQRSTXZ@`abcdefghilmnpqrstuvwxyz{|}~"
_FLOODS = (
    *(b"\n", b"\t", b"\x1bc", b"\x1b#8", b"\x1b[65535b", b"\x1b[999L", b"\x1b[999S", b"\x1b[99999X", b"\x1b7\x1b8", b"\x1b[5i"),
    *(b"\x1b[?1049h\x1b[?1049l", b"\x1b]4;1;rgb:1/2/3\x07", b"\x1b[38;2;1;2;3m.", b"\x1b(0q"),
    *("\u200d👩".encode(), b"e" + "\u0301".encode() * 40),
)
_MIDDLES = ("", "", " ", "$", "!", "'")
_CORPUS = [text.encode("utf-8", "surrogatepass") for _, text in payloads()]
_SIZES = (-1, 0, 1, 2, 3, 24, 80, 200, 299, 300, 301, 500, 501, 65_535, 65_536, 2**31 - 1)
_NUMBERS = ("", "0", "1", "2", "5", "8", "38", "999", "65535", "65536", "2147483647", "4294967296", "9" * 40, "-1")
_STRINGS = (b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX", b"\x9d", b"\x90")
_ENDS = (b"\x07", b"\x1b\\", b"\x9c", b"", b"\x18", b"\x1b")


def stream(seed: int) -> list[Write]:
    """The writes of one recording, of some KiB; now and then much more."""
    rng = random.Random(seed)
    kinds = rng.choices(_KINDS, k=rng.randrange(1, 4))
    writes = [write for kind in kinds for write in kind(rng)]
    if rng.random() < 0.4:
        writes = [_mutated(rng, w) if isinstance(w, bytes) else w for w in writes]
    if rng.random() < 0.3:  # cut anywhere, also within a sequence or a character
        writes = [piece for w in writes for piece in (_cut(rng, w) if isinstance(w, bytes) else [w])]
    return writes


def _text(rng: random.Random) -> Iterator[Write]:
    letters = "abc xyz\r\n\t\b中文é👨\u200d👩\u200d👧❤\ufe0f\u0301\u202e\u200b\U0010ffff"
    for _ in range(rng.randrange(1, 20)):
        yield "".join(rng.choice(letters) for _ in range(rng.randrange(80))).encode()


def _csi(rng: random.Random) -> Iterator[Write]:
    for _ in range(rng.randrange(1, 60)):
        numbers = rng.choice(";:").join(rng.choice(_NUMBERS) for _ in range(rng.choice([0, 1, 1, 2, 3, 6, 40])))
        start = rng.choice(["\x1b[", "\x1b[?", "\x1b[>", "\x1b[=", "\x1b[<", "\x9b"])
        yield f"{start}{numbers}{rng.choice(_MIDDLES)}{rng.choice(_FINALS)}".encode() + b"x"


def _strings(rng: random.Random) -> Iterator[Write]:
    for _ in range(rng.randrange(1, 12)):
        depth = rng.choice([1, 1, 2, 5, 200])
        yield b"".join(rng.choice(_STRINGS) + str(rng.randrange(2000)).encode() + b";" for _ in range(depth))
        yield bytes(rng.choice(b"abc;:=?/\n\x80\xff") for _ in range(rng.choice([0, 3, 50, 5_000])))
        yield rng.choice(_ENDS) * rng.choice([1, depth])


def _corpus(rng: random.Random) -> Iterator[Write]:
    return iter(rng.choices(_CORPUS, k=rng.randrange(1, 30)))


def _sizes(rng: random.Random) -> Iterator[Write]:
    for _ in range(rng.randrange(1, 12)):
        yield rng.choice(_SIZES), rng.choice(_SIZES)
        yield (
            rng.choice([b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[2;5r", b"\x1b[?69h\x1b[3;9s", b"\x1b[999;999H"])
            + "中x".encode() * 40
        )


def _noise(rng: random.Random) -> Iterator[Write]:
    yield rng.randbytes(rng.randrange(2_000))
    yield "".join(chr(rng.choice([0x1B, 0x5B, 0x3B, 0x9B, rng.randrange(0x110000)])) for _ in range(200)).encode(
        "utf-8", "surrogatepass"
    )


def _flood(rng: random.Random) -> Iterator[Write]:
    """What is little to write and much to do."""
    what = rng.choice(_FLOODS)
    yield what * rng.choice([10, 100, 300])


def _large(rng: random.Random) -> Iterator[Write]:
    """Rarely: one sequence or line that does not end."""
    if rng.random() < 0.03:
        yield rng.choice([b"\x1b]0;", b"\x1bP", b"\x1b_G", b"", b"\x1b[", b"\x1b]52;c;"])
        yield rng.choice([b"A", b"1;", b"9", "\u0301".encode(), b"\xc3", b"\x1b"]) * rng.choice([20_000, 200_000])


def _mutated(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(4) if changed else 0):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del changed[at : at + rng.randrange(8)]
            case 2:
                changed[at:at] = rng.randbytes(rng.randrange(6))
            case _:
                changed[at:at] = changed[: rng.randrange(64)]
    return bytes(changed)


def _cut(rng: random.Random, data: bytes) -> list[bytes]:
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(4)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


_KINDS: list[Callable[[random.Random], Iterator[Write]]] = [_text, _csi, _csi, _strings, _corpus, _sizes, _noise, _flood, _large]
