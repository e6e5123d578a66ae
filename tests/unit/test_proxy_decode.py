import gzip
import random
import zlib

import pytest

from cabtrace.runner.proxy.decode import decodable_codings, decode_body


def gzipped(data: bytes, level: int = 9) -> bytes:
    """The same bytes each time: they name the cases, and every worker must see the same names."""
    return gzip.compress(data, level, mtime=0)


TEXT = b'data: {"x": 1}\n\n' * 500
LIMIT = 1_000_000


def deflated(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzipped(TEXT)),
        ("GZIP", gzipped(TEXT)),
        ("x-gzip", gzipped(TEXT[:100]) + gzipped(TEXT[100:])),
        ("deflate", deflated(TEXT, zlib.MAX_WBITS)),
        ("deflate", deflated(TEXT, -zlib.MAX_WBITS)),
        ("gzip, deflate", deflated(gzipped(TEXT), zlib.MAX_WBITS)),
    ],
)
def test_each_coding_is_undone(encoding, body):
    decoded = decode_body(encoding, body, LIMIT)
    assert (decoded.data, decoded.whole) == (TEXT, True)


@pytest.mark.parametrize("cut", range(0, len(gzipped(TEXT)), 5))
def test_a_torn_body_gives_what_came_of_it(cut):
    decoded = decode_body("gzip", gzipped(TEXT)[:cut], LIMIT)
    assert TEXT.startswith(decoded.data)
    assert not decoded.whole or cut == 0


def test_every_event_that_was_flushed_can_be_read_of_a_torn_stream():
    packer = zlib.compressobj(wbits=31)
    stream = b"".join(packer.compress(b"data: %d\n\n" % number) + packer.flush(zlib.Z_SYNC_FLUSH) for number in range(20))
    decoded = decode_body("gzip", stream, LIMIT)
    assert decoded.data.endswith(b"data: 19\n\n")
    assert not decoded.whole


def test_a_bomb_ends_at_the_cap():
    bomb = gzipped(gzipped(bytes(200_000_000), 9), 9)
    decoded = decode_body("gzip, gzip", bomb, 10_000)
    assert len(decoded.data) == 10_000
    assert not decoded.whole


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "made-up", ", ,gzip;q=1", "gzip," * 50])
def test_garbage_is_nothing_rather_than_an_error(encoding):
    rng = random.Random(7)
    for _ in range(50):
        decoded = decode_body(encoding, rng.randbytes(rng.randrange(200)), LIMIT)
        assert len(decoded.data) <= LIMIT


def test_what_is_claimed_can_be_decoded():
    assert {"identity", "gzip", "deflate"} <= decodable_codings()
