"""The exit code that the text of a tool's result tells of. Agents word it differently; what is read from words is a guess."""

from __future__ import annotations

import re
from typing import Final

_ENDS: Final = 4_000  # it stands at the beginning or the end of a result
_EXIT_CODE: Final = re.compile(
    r"\[exit code:? (-?\d+)\]|^(?:error: )?exit code:? (-?\d+)|(?:process )?exited with (?:exit )?code (-?\d+)"
    r"|\"(?:exit_?code|returncode)\": ?(-?\d+)|<(?:returncode|exit_code)>(-?\d+)</|^(?:command )?failed with exit code:? (-?\d+)",
    re.IGNORECASE | re.MULTILINE,
)


def exit_code_in(result: str, *, ends: int = _ENDS) -> int | None:
    """The exit code that the first or the last `ends` characters of a result tell of; the last where there are several."""
    text = result if len(result) <= 2 * ends else f"{result[:ends]}\n{result[-ends:]}"
    codes = [next(group for group in found if group) for found in _EXIT_CODE.findall(text)]
    return int(codes[-1][:10]) if codes else None
