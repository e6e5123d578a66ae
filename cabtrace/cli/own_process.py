"""What others on this machine can learn of this process. Linux only; elsewhere nothing is done, and the caller told so."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_PR_SET_DUMPABLE = 4
_ARG_START, _ARG_END = 45, 46  # fields of /proc/self/stat after the command name


def mask_argument(secret: str) -> bool:
    """Overwrites `secret` in this process' command line; whether it is gone from there. Never raises."""
    wanted = os.fsencode(secret)
    try:
        stat = Path("/proc/self/stat").read_bytes()
        fields = stat[stat.rindex(b")") + 2 :].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        shown = Path("/proc/self/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return False
    # The area holds what /proc shows, unless something renamed the process: then nothing is touched.
    if not 0 < start < end or len(shown) != end - start or ctypes.string_at(start, end - start) != shown:
        return False
    found = shown.find(wanted)
    while found >= 0:
        ctypes.memset(start + found, ord("x"), len(wanted))
        found = shown.find(wanted, found + len(wanted))
    return True


def close_environment() -> bool:
    """Environment and memory of this process can no longer be read by others of the same user, such as an agent; root can."""
    return sys.platform == "linux" and bool(ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
