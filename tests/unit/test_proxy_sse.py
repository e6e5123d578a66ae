import pytest

from cabtrace.runner.proxy.apis.sse import Event, looks_like_events, read_events


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_whatever_the_line_ends(end):
    lines = [
        ": comment",
        "event: a",
        "data: 1",
        "",
        "data:2",
        "data:  3",
        "id: 7",
        "retry: 10",
        "",
        "event: nothing",
        "",
        "data: 4",
    ]
    assert [*read_events(end.join(lines).encode())] == [Event("a", "1"), Event("", "2\n 3"), Event("", "4")]


def test_separators_of_other_alphabets_do_not_cut_a_line():
    text = "a\u2028b\u0085c\x0bd\x1ce"
    assert [event.data for event in read_events(f"data: {text}\n\n".encode())] == [text]


def test_a_torn_character_is_replaced_not_raised():
    assert [event.data for event in read_events("data: €".encode()[:-1])] == ["\ufffd"]


def test_a_mark_at_the_beginning_is_passed_over():
    assert [event.data for event in read_events(b"\xef\xbb\xbfdata: 1\n\n")] == ["1"]


@pytest.mark.parametrize(
    ("kind", "body", "is_stream"),
    [
        ("text/event-stream; charset=utf-8", b"", True),
        ("", b"data: {}", True),
        ("text/plain", b"\n: ping\n\ndata: 1", True),
        ("application/json", b'{"data": 1}', False),
        ("", b"", False),
    ],
)
def test_a_stream_is_known_by_type_or_by_look(kind, body, is_stream):
    assert looks_like_events(kind, body) is is_stream
