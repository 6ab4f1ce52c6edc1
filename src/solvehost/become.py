"""Run as a program: set the limits that an engine lives under, then become it.

``python -I -S become.py PARENT_PID LIMITS ENGINE ARGUMENT…``, where LIMITS is ``name=value,…`` with the names of
``resource.RLIMIT_*`` in lower case.  Standard input is a pipe: a byte on it says to go ahead, its end that the parent
gave up (it was interrupted, or died) before it had a hold on this process.  A fresh process does this rather than
``preexec_fn``, which is unsafe where there are threads.  Nothing of the package is imported, so that it starts in a
few milliseconds.
"""

import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
#: What the parent sees when the engine itself could not be started; the shell's own word for it.
EXIT_NOT_STARTED = 127


def _die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGKILL when the spawning thread ends (Linux); elsewhere the race's own clean-up must do."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the request was in place
        os._exit(EXIT_NOT_STARTED)


def _set_limits(text: str) -> None:
    for item in filter(None, text.split(",")):
        name, value = item.split("=")
        which = getattr(resource, "RLIMIT_" + name.upper(), None)
        if which is None:
            continue
        _, hard = resource.getrlimit(which)
        limit = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(which, (limit, limit))


def _await_the_word() -> None:
    """Return once the parent says to go ahead, with standard input now empty; end here where it never does."""
    if not os.read(0, 1):
        os._exit(EXIT_NOT_STARTED)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _restore_signals() -> None:
    """Undo what Python ignores: an engine that writes past its limits must die of it, not try again for ever."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def main(argv: list[str]) -> None:
    """Set what ``argv`` asks for and become the engine; never returns."""
    parent_pid, limits, *command = argv
    _die_with_parent(int(parent_pid))
    _set_limits(limits)
    _restore_signals()
    _await_the_word()
    try:
        os.execv(command[0], command)
    except OSError as exc:
        sys.stderr.write(f"{command[0]}: {exc.strerror}\n")
        sys.exit(EXIT_NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
