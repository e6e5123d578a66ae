from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.diagnose.normal import normal_key, normal_name, normal_text, normal_value

ALIKE = [
    ("id 01a203e6-b6ff-7153-bae6-333cf6a3c73c", "id 0b289bc8-3579-507d-a0fe-042b4a7acf26"),
    ("msg_01a203e6-b6ff-7153-bae6-333cf6a3c73c", "msg_0b289bc8-3579-507d-a0fe-042b4a7acf26"),
    ("it is 2026-11-22T15:10:45.999Z", "it is 2027-01-03T01:02:03Z"),
    ("Today's date: 2026-11-22", "Today's date: 2026-11-23"),
    ("Sun Nov 22 15:10:42 UTC 2026", "Mon Dec  7 01:00:02 UTC 2026"),
    ("-rw-r--r-- 1 root root 12 Nov 22 15:10 a", "-rw-r--r-- 1 root root 12 Nov 23 09:01 a"),
    ("http://127.0.0.1:44663/v1", "http://127.0.0.1:45503/v1"),
    ("Ran 3 tests in 0.003s", "Ran 3 tests in 0.012s"),
    ("<object at 0x7f8c5f388720>", "<object at 0x7f8c5f100000>"),
    ("/tmp/tmp.YIlOQiwVlS/hidden_test.py", "/tmp/tmp.AbC1234xyz/hidden_test.py"),
    (r'{"output": "/box/tmp/tmp.9kZYUnwGnl\n"}', r'{"output": "/box/tmp/tmp.nQyb6qcOp8\n"}'),
    ("<out>/tmp/tmp.9kZYUnwGnl</out>", "<out>/tmp/tmp.nQyb6qcOp8</out>"),
    ("Process Group PGID: 17524", "Process Group PGID: 17822"),
    ("run_shell_command_1795361838526_0", "run_shell_command_1795361845715_0"),
    ("Chunk ID: 367039", "Chunk ID: 0a1206"),
    ("Original token count: 32", "Original token count: 30"),
    ("call_d84c9fc30b49db90121c344a0", "call_ffff9fc30b49db90121c344a0"),
    ("token [redacted:run_token]", "token cbt-" + "0a" * 24),
    (
        "projects/-tmp-one-d84c9fc30b49db90121c344aaa2bec82-box-workdir/memory",
        "projects/-var-two-three-0" + "1" * 31 + "-box-workdir/memory",
    ),
]
UNLIKE = [
    ("sed -n 3p add.sh", "sed -n 4p add.sh"),
    ("[exit code 0]", "[exit code 1]"),
    ("2 of 5 tests failed", "3 of 5 tests failed"),
    ("git checkout deadbeef", "git checkout cafebabe"),
    ("cat a.txt", "cat b.txt"),
    ("listen on port 8000", "listen on port 9000"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_differs_from_run_to_run_does_not_count(one: str, other: str) -> None:
    assert normal_text(one) == normal_text(other)
    assert normal_key({"messages": [one]}) == normal_key({"messages": [other]})


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_what_means_something_else_stays_different(one: str, other: str) -> None:
    assert normal_text(one) != normal_text(other)


@given(st.text(alphabet=st.characters(exclude_categories=["Nd"]), max_size=200))
def test_a_text_without_numbers_is_the_same_object(text: str) -> None:
    if "tmp" not in text and "redacted" not in text:
        assert normal_text(text) is text


@given(st.text(max_size=200))
def test_twice_is_as_good_as_once(text: str) -> None:
    assert normal_text(normal_text(text)) == normal_text(text)


def test_values_of_any_shape_are_taken() -> None:
    deep: object = "x"
    for _ in range(500):
        deep = [deep]

    assert normal_value({"a": ["0x7f8c5f388720", 3, None, True], "b": {"c": 1.5}}) == {
        "a": ["<address>", 3, None, True],
        "b": {"c": 1.5},
    }
    assert normal_key(deep) == normal_key(deep)
    assert normal_key({"n": 2**80}) == normal_key({"n": 2**80})
    assert normal_name("step 12 of a1b2c3d4e5") == "step # of #"
