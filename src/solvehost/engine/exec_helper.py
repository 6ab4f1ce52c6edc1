"""Run as a program: set the limits that an engine lives under, then become it.

``python -I -S become.py PARENT_PID LIMITS RULES ENGINE ARGUMENT…``, where LIMITS is ``name=value,…`` with the names of
``resource.RLIMIT_*`` in lower case, and RULES is lines ``ACCESS PATH`` (see :mod:`solvehost.engine.sandbox`), none
for an engine that is not confined.  Standard input is a pipe: a byte on it says to go ahead, its end that the parent
gave up (it was interrupted, or died) before it had a hold on this process.  A fresh process does this rather than
``preexec_fn``, which is unsafe where there are threads.  Nothing of the package is imported, so that it starts in a
few milliseconds.

Source of the Landlock calls and numbers: linux/landlock.h, and the kernel's userspace-api/landlock.
"""

import os
import resource
import signal
import stat
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
#: What the parent sees when the engine itself could not be started; the shell's own word for it.
EXIT_NOT_STARTED = 127

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
#: Number of rights over files and directories by the kernel's ABI: the first so many bits.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_ACCESS = {"r": _READ_FILE | _READ_DIR, "rx": _READ_FILE | _READ_DIR | _EXECUTE, "rw": ~_EXECUTE & ~_IOCTL_DEV}


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel speaks, 0 where it has none or it is switched off."""
    if not sys.platform.startswith("linux"):
        return 0
    import ctypes

    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _RULESET_VERSION)))


def ruleset(abi: int) -> tuple[int, int, int]:
    """Return what a kernel of that ABI is asked to forbid: rights over files, TCP ports, and (scoped) signals."""
    files = (1 << _FILE_RIGHTS[min(abi, max(_FILE_RIGHTS))]) - 1
    return files, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0


def _confine(rules: str) -> None:
    """Forbid all access to files that ``rules`` does not allow, TCP, and signals to others."""
    import ctypes

    abi = landlock_abi()
    if not rules or not abi:
        return
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    handled = ruleset(abi)
    size = 8 * (3 if abi >= 6 else 2 if abi >= 4 else 1)
    attributes = (ctypes.c_uint64 * 3)(*handled)
    made = _checked(syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0))
    for line in rules.splitlines():
        access, _, path = line.partition(" ")
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # what is not there needs no leave
        rights = _ACCESS[access] & handled[0]
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        beneath = rights.to_bytes(8, sys.byteorder) + fd.to_bytes(4, sys.byteorder)
        _checked(syscall(_ADD_RULE, made, _RULE_PATH_BENEATH, beneath, 0))
        os.close(fd)
    _checked(syscall(_RESTRICT_SELF, made, 0))
    os.close(made)


def _checked(answer: int) -> int:
    if answer < 0:
        os.write(2, b"the kernel refuses to confine the engine (Landlock)\n")
        os._exit(EXIT_NOT_STARTED)
    return answer


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


def main(argv: list[str], environment: dict[str, str] | None = None) -> None:
    """Set what ``argv`` asks for and become the engine; never returns.  ``environment`` is by default this one's."""
    parent_pid, limits, rules, *command = argv
    _die_with_parent(int(parent_pid))
    _set_limits(limits)
    _restore_signals()
    _await_the_word()
    _confine(rules)
    try:
        os.execve(command[0], command, os.environ if environment is None else environment)
    except OSError as exc:
        os.write(2, f"{command[0]}: {exc.strerror}\n".encode(errors="backslashreplace"))
        os._exit(EXIT_NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
