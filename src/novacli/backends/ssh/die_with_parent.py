"""Run as a program: become another one that ends when the thread of nova that started it does, however that ends.

``python -I -S -c SOURCE PARENT_PID PROGRAM ARGUMENT…``.  Without it, an ssh whose nova was killed would keep its
connection, and the server would go on solving for nobody.  A fresh process does this rather than ``preexec_fn``,
which is unsafe where there are threads.  Linux alone; elsewhere ssh is started as it is.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
#: The shell's word for a program that is there but cannot be run.
EXIT_NOT_STARTED = 126


def main(argv: list[str]) -> None:
    """Tie this process to its parent and become the program; never returns."""
    parent_pid, *command = argv
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent_pid):  # it died before the request was in place
        sys.exit(EXIT_NOT_STARTED)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(command[0], command)
    except OSError as exc:
        sys.stderr.write(f"{command[0]}: {exc.strerror}\n")
        sys.exit(EXIT_NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
