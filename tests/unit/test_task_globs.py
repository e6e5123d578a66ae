"""Globs match as in a `.gitignore`, and those that can match nothing are refused."""

from __future__ import annotations

import pytest

from cabtrace.globs import compile_globs, matching

PATHS = ("src/lib.rs", "lib.rs", "src/deep/lib.rs", "tests/test_a.py", "a.txt")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["src/lib.rs"], ("src/lib.rs",)),
        (["lib.rs"], ("src/lib.rs", "lib.rs", "src/deep/lib.rs")),
        (["/lib.rs"], ("lib.rs",)),
        (["src/"], ("src/lib.rs", "src/deep/lib.rs")),
        (["src/**/lib.rs"], ("src/lib.rs", "src/deep/lib.rs")),
        (["*.rs", "!/lib.rs"], ("src/lib.rs", "src/deep/lib.rs")),
        (["?.txt"], ("a.txt",)),
        ([], ()),
    ],
)
def test_matching(patterns: list[str], expected: tuple[str, ...]) -> None:
    assert matching(patterns, PATHS) == expected


@pytest.mark.parametrize("pattern", ["", "/", "#x", "!", "  ", "../x", "a/../b", "[z-a]", "a\0b", "\\"])
def test_patterns_that_can_match_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"matches nothing|leaves|is not a glob"):
        compile_globs([pattern])
