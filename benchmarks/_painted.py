"""What of a program's output is to be seen."""

import re

# Control sequences, also one that is not complete yet, and blanks.
_UNSEEN = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X].*?\x1b\\|\x1b[ -/]*[0-Z\\^-~]"
    rb"|\x1b.*$|[\x00-\x20\x7f]",
    re.DOTALL,
)


def visible(output: bytes) -> str:
    """The words that it painted, in the order in which it did; nothing where it only set the terminal up."""
    return " ".join(_UNSEEN.sub(b" ", output).decode(errors="replace").split())
