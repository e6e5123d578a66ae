"""Path globs as `.gitignore` writes them: a slash anchors a pattern, none matches at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pathspec import GitIgnoreSpec


def compile_globs(patterns: Iterable[str]) -> GitIgnoreSpec:
    """A matcher of paths relative to the working directory, `/` between their parts.

    Raises:
        ValueError: a pattern that can match nothing, or nothing inside the working directory; the text names it.
    """
    patterns = tuple(patterns)
    for pattern in patterns:
        parts = pattern.removeprefix("!").strip().split("/")
        if not any(parts) or pattern.startswith("#"):
            raise ValueError(f"{pattern!r} matches nothing")
        if ".." in parts or "\0" in pattern:
            raise ValueError(f"{pattern!r} leaves the working directory")
        try:
            GitIgnoreSpec.from_lines([pattern])
        except (ValueError, re.error) as error:
            raise ValueError(f"{pattern!r} is not a glob") from error
    return GitIgnoreSpec.from_lines(patterns)


def matching(patterns: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Those of `paths` that the globs match, in their order.

    The patterns may come from a record, which may say anything: what is no glob matches nothing.
    """
    usable = [pattern for pattern in patterns if _is_glob(pattern)]
    spec = compile_globs(usable)
    return tuple(path for path in paths if spec.match_file(path))


def _is_glob(pattern: str) -> bool:
    try:
        compile_globs([pattern])
    except ValueError:
        return False
    return True
