"""Becomes a program on a terminal. Run by path, with nothing but the standard library, first in a session of its own.

    exec_on_tty.py STATUS_FD TTY PROGRAM ARGV...

A controlling terminal needs code between fork and exec, which may deadlock in a process with threads; so it is this process
that turns into the program. Where it cannot, the error number is written to STATUS_FD.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios


def main() -> None:
    """Does not return."""
    status, tty, program, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    os.set_inheritable(status, False)
    try:
        terminal = os.open(tty, os.O_RDWR)
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for target in (0, 1, 2):
            os.dup2(terminal, target)
        if terminal > 2:
            os.close(terminal)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # what Python changes for itself
            signal.signal(number, signal.SIG_DFL)
        os.execv(program, argv)  # noqa: S606 - an argv list, without a shell
    except OSError as error:
        os.write(status, str(error.errno or 0).encode())
    os._exit(127)


if __name__ == "__main__":
    main()
