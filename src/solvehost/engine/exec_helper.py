"""Tie a process to its parent, limit it, and replace it by another program; the file is a module and a program.

As a program it runs in a fresh interpreter, because ``preexec_fn`` is unsafe in a process with threads:

``engine PARENT_PID LIMITS RULES ENGINE ARGUMENT…``
    becomes the engine.  LIMITS is ``name=value,…`` with the names of ``resource.RLIMIT_*`` in lower case.  RULES is
    lines ``ACCESS PATH`` for Landlock, and a line ``calls FILTER`` for seccomp with the filter in hexadecimal (see
    :mod:`solvehost.engine.sandbox`); without lines of a kind, that part of the kernel confines nothing.  Standard
    input is a pipe: a byte on it means "go ahead"; its end means that the parent gave up (it was interrupted, or died)
    before it had recorded this process.
``program PARENT_PID PROGRAM ARGUMENT…``
    becomes any other program, such as ssh.  Without it, an ssh whose nova was killed would keep its connection, and
    the server would go on solving for a client that is gone.

The program imports nothing of the package, so it starts in a few milliseconds: :func:`command_line` passes this file's
source to ``python -I -S -c``.  The rest of the project imports :func:`die_with_parent` and :func:`prctl` from here.

Source of the calls and numbers: linux/landlock.h, linux/seccomp.h, and the kernel's userspace-api/landlock.
"""

import os
import resource
import signal
import stat
import sys

_PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
#: Exit code of the mode ``engine`` if the engine could not be started: the shell's code for "not found".
EXIT_NOT_STARTED = 127
#: Exit code of the mode ``program`` if the program could not be started; ssh passes a server's 127 on, so it differs.
EXIT_PROGRAM_NOT_STARTED = 126

# The system call numbers are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
#: Version of the kernel's ABI → number of rights over files and directories that it knows.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_RIGHTS_OVER_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_ACCESS = {"r": _READ_FILE | _READ_DIR, "rx": _READ_FILE | _READ_DIR | _EXECUTE, "rw": ~_EXECUTE & ~_IOCTL_DEV}
#: Number of the system call ``seccomp`` on the machines for which there are filters.
_SECCOMP = {"x86_64": 317, "aarch64": 277}
#: The second is a flag: without it, kernels before 5.16 make a process with a filter slower (Spectre).
_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4
#: First word of the line of RULES that has the filter of system calls.
CALLS = "calls"


def command_line(mode: str) -> list[str]:
    """Return the words that run this file as a program; the arguments of ``mode`` follow them.

    Raises
    ------
    OSError
        If the file is missing from the installation.
    """
    import pkgutil  # only a process with threads needs it; it reads from a zip file, too

    package, _, name = __name__.rpartition(".")
    source = pkgutil.get_data(package, f"{name}.py")
    if source is None:
        raise FileNotFoundError(f"{name}.py is missing: install solvehost again")
    return [sys.executable, "-I", "-S", "-c", source.decode(), mode]


def prctl(option: int, value: int) -> None:
    """Call Linux's prctl(2); do nothing on other systems, which have none."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with_parent(parent_pid: int, number: int = signal.SIGKILL, exit_code: int = EXIT_NOT_STARTED) -> None:
    """Have the kernel send this process a signal when its parent ends, however the parent ends (Linux only).

    The kernel sends it when the *thread* that spawned this process ends, so that thread must outlive this process.
    An exec keeps the setting; a fork does not.

    Parameters
    ----------
    parent_pid
        Process id of the parent, taken before the fork.
    number
        The signal; SIGTERM for a process that cleans up after itself.
    exit_code
        Code with which this process exits at once if the parent ended before the setting took effect.
    """
    if sys.platform.startswith("linux"):
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent_pid:
            os._exit(exit_code)


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel supports, 0 if it has none or Landlock is switched off."""
    if not sys.platform.startswith("linux"):
        return 0
    import ctypes

    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _RULESET_VERSION)))


def ruleset(abi: int) -> tuple[int, int, int]:
    """Return what to forbid on a kernel of that ABI: rights over files, over TCP ports, and scopes (signals)."""
    files = (1 << _FILE_RIGHTS[min(abi, max(_FILE_RIGHTS))]) - 1
    return files, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0


def filters_calls() -> bool:
    """Return True if the kernel can filter system calls, on a machine whose calls are known here."""
    number = _SECCOMP.get(os.uname().machine)
    if number is None or not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return False
    import ctypes
    import errno

    # With no filter to read, a kernel that knows the operation and the flag fails with EFAULT, and changes nothing.
    answer = ctypes.CDLL(None, use_errno=True).syscall(number, _SET_MODE_FILTER, _SPEC_ALLOW, None)
    return int(answer) < 0 and ctypes.get_errno() == errno.EFAULT


def _confine(rules: str) -> None:
    """Confine this process by ``rules``, first its files and then its system calls, which include Landlock's own."""
    lines = [line.partition(" ") for line in rules.splitlines()]
    paths = [(access, path) for access, _, path in lines if access != CALLS]
    if paths:
        _confine_files(paths)
    for word, _, text in lines:
        if word == CALLS:
            _filter_calls(bytes.fromhex(text))


def _filter_calls(program: bytes) -> None:
    """Forbid all system calls but those that the filter allows, an array of ``struct sock_filter`` (8 bytes each)."""
    import ctypes

    instructions = ctypes.create_string_buffer(program, len(program))
    sock_fprog = (ctypes.c_uint64 * 2)(len(program) // 8, ctypes.addressof(instructions))
    syscall = ctypes.CDLL(None).syscall
    _checked(syscall(_SECCOMP[os.uname().machine], _SET_MODE_FILTER, _SPEC_ALLOW, ctypes.byref(sock_fprog)), "seccomp")


def _confine_files(paths: list[tuple[str, str]]) -> None:
    """Forbid all access to files but that to ``paths``, TCP, and signals to other processes, as far as Landlock can."""
    import ctypes

    abi = landlock_abi()
    if not abi:
        return
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    handled = ruleset(abi)
    size = 8 * (3 if abi >= 6 else 2 if abi >= 4 else 1)
    attributes = (ctypes.c_uint64 * 3)(*handled)
    ruleset_fd = _checked(syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0))
    for access, path in paths:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # a path that does not exist needs no rule
        rights = _ACCESS[access] & handled[0]
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _RIGHTS_OVER_FILES
        beneath = rights.to_bytes(8, sys.byteorder) + fd.to_bytes(4, sys.byteorder)
        _checked(syscall(_ADD_RULE, ruleset_fd, _RULE_PATH_BENEATH, beneath, 0))
        os.close(fd)
    _checked(syscall(_RESTRICT_SELF, ruleset_fd, 0))
    os.close(ruleset_fd)


def _checked(answer: int, what: str = "Landlock") -> int:
    """Return the answer of a system call; exit if it failed, so that no engine starts unconfined."""
    if answer < 0:
        os.write(2, f"the kernel refuses to confine the engine ({what})\n".encode())
        os._exit(EXIT_NOT_STARTED)
    return answer


def _set_limits(text: str) -> None:
    for item in filter(None, text.split(",")):
        name, value = item.split("=")
        which = getattr(resource, "RLIMIT_" + name.upper(), None)
        if which is None:
            continue
        _, hard = resource.getrlimit(which)
        limit = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(which, (limit, limit))


def _await_permission() -> None:
    """Return once the parent has said "go ahead", with standard input on /dev/null; exit if it never does."""
    if not os.read(0, 1):
        os._exit(EXIT_NOT_STARTED)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _restore_signals() -> None:
    """Restore the signals that Python ignores: a program that writes past a limit must die of it, not retry."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def become_engine(argv: list[str], environment: dict[str, str] | None = None) -> None:
    """Set the limits that ``argv`` states and become the engine; never returns.

    Parameters
    ----------
    argv
        What follows the word ``engine`` on the command line (see the module's docstring).
    environment
        The engine's environment; this process's own by default.
    """
    parent_pid, limits, rules, *command = argv
    die_with_parent(int(parent_pid))
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _set_limits(limits)
    _restore_signals()
    _await_permission()
    _confine(rules)
    _execute(command, environment, EXIT_NOT_STARTED)


def become_program(argv: list[str]) -> None:
    """Become the program that ``argv`` states; never returns."""
    parent_pid, *command = argv
    die_with_parent(int(parent_pid), signal.SIGTERM, EXIT_PROGRAM_NOT_STARTED)
    _restore_signals()
    _execute(command, None, EXIT_PROGRAM_NOT_STARTED)


def _execute(command: list[str], environment: dict[str, str] | None, exit_code: int) -> None:
    try:
        os.execve(command[0], command, os.environ if environment is None else environment)
    except OSError as exc:
        os.write(2, f"{command[0]}: {exc.strerror}\n".encode(errors="backslashreplace"))
        os._exit(exit_code)


if __name__ == "__main__":
    {"engine": become_engine, "program": become_program}[sys.argv[1]](sys.argv[2:])
