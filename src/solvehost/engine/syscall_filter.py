"""The system calls that an engine may make: a seccomp filter, which ``exec_helper.py`` passes to the kernel.

Landlock decides which files an engine may open.  This filter decides what it may ask of the kernel at all, so it also
covers what no version of Landlock governs: sockets of every kind, processes, priorities, limits of other processes,
times and modes of files, and memory that no limit counts.  A call that is not on the list fails with EPERM; a call of
another architecture, whose numbers mean other calls, ends the process.

The list has the calls that astrometry.net 0.93 makes, and calls of other C libraries for the same purposes, which can
only concern the process itself or files that it has open.

Source of the numbers: the kernel's asm/unistd_64.h (x86-64) and asm-generic/unistd.h (aarch64); of the filter's
format: linux/bpf_common.h and linux/seccomp.h.
"""

from __future__ import annotations

import functools
import struct

#: Call → number on x86-64, number on aarch64 (None: the architecture does not have the call).
_HARMLESS: dict[str, tuple[int, int | None]] = {
    # Files: Landlock decides which ones can be opened.
    "read": (0, 63), "readv": (19, 65), "pread64": (17, 67), "write": (1, 64), "writev": (20, 66), "pwrite64": (18, 68),
    "lseek": (8, 62), "close": (3, 57), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24),
    "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "getdents64": (217, 61),
    "readlink": (89, None), "readlinkat": (267, 78), "getcwd": (79, 17),
    # Memory
    "brk": (12, 214), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    # Time
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None),
    "times": (100, 153), "getrusage": (98, 165), "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    # The process itself: start and end, threads of its own (none can be made), signals that it receives
    "execve": (59, 221), "exit": (60, 93), "exit_group": (231, 94), "arch_prctl": (158, None),
    "set_tid_address": (218, 96), "set_robust_list": (273, 99), "rseq": (334, 293), "futex": (202, 98),
    "sched_yield": (24, 124), "restart_syscall": (219, 128), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "getpid": (39, 172), "getppid": (110, 173),
    "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    # The system
    "uname": (63, 160), "sysinfo": (99, 179), "getrandom": (318, 278), "getrlimit": (97, 163),
}  # fmt: skip

_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # the second: fail with error 1, EPERM
_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
#: Offsets in struct seccomp_data: number of the call, architecture, first argument (8 bytes each, low half first).
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

#: One instruction of the filter: operation, instructions to skip if true, if false, operand.
_Instruction = tuple[int, int, int, int]
_Code = list[_Instruction]


def _load_argument(index: int, *, high: bool = False) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index + (4 if high else 0))


def _result(value: int) -> _Instruction:
    return (_RETURN, 0, 0, value)


def _allow_values(index: int, *values: int) -> _Code:
    """Return code that allows a call only with one of these values of a 32-bit argument."""
    code = [_load_argument(index)]
    for value in values:
        code += [(_JUMP_IF_EQUAL, 0, 1, value), _result(_ALLOW)]
    return [*code, _result(_REFUSE)]


def _refuse_bits(index: int, *bits: tuple[int, int]) -> _Code:
    """Return code that refuses a call if the argument, masked, has a value, for any of the pairs (mask, value)."""
    code: _Code = []
    for mask, value in bits:
        code += [_load_argument(index), (_AND, 0, 0, mask), (_JUMP_IF_EQUAL, 0, 1, value), _result(_REFUSE)]
    return [*code, _result(_ALLOW)]


def _allow_zeros(*indexes: int) -> _Code:
    """Return code that allows a call only if these 64-bit arguments are all zero."""
    code: _Code = []
    for index in indexes:
        for high in (False, True):
            code += [_load_argument(index, high=high), (_JUMP_IF_EQUAL, 1, 0, 0), _result(_REFUSE)]
    return [*code, _result(_ALLOW)]


_MAP_SHARED, _MAP_ANONYMOUS, _MAP_GROWSDOWN, _MAP_HUGETLB = 0x1, 0x20, 0x100, 0x40000
#: Memory that RLIMIT_DATA does not count: shared anonymous memory, additional stacks, and huge pages.
_UNCOUNTED_MEMORY = _refuse_bits(
    3,
    (_MAP_SHARED | _MAP_ANONYMOUS, _MAP_SHARED | _MAP_ANONYMOUS),
    (_MAP_GROWSDOWN, _MAP_GROWSDOWN),
    (_MAP_HUGETLB, _MAP_HUGETLB),
)
#: O_TRUNC without write access (O_ACCMODE is 3): before its version 3, Landlock allows this for a file to be read.
_O_TRUNC, _O_ACCMODE = 0o1000, 3
_TRUNCATE_UNWRITTEN = (_O_TRUNC | _O_ACCMODE, _O_TRUNC)
#: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC: without locks, leases, owners of signals and sizes of pipes.
_FCNTL_COMMANDS = (0, 1, 2, 3, 1030)
#: TCGETS and TCGETS2, by which a C library asks if a file is a terminal; FIONCLEX and FIOCLEX: close on execution.
_IOCTL_REQUESTS = (0x5401, 0x802C542A, 0x5450, 0x5451)

#: Call → its numbers as above, and the check of its arguments.
_CHECKED: dict[str, tuple[int, int | None, _Code]] = {
    "mmap": (9, 222, _UNCOUNTED_MEMORY),
    "open": (2, None, _refuse_bits(1, _TRUNCATE_UNWRITTEN)),
    "openat": (257, 56, _refuse_bits(2, _TRUNCATE_UNWRITTEN)),
    "fcntl": (72, 25, _allow_values(1, *_FCNTL_COMMANDS)),
    "ioctl": (16, 29, _allow_values(1, *_IOCTL_REQUESTS)),
    # A process may read its own limits, and not change them: a larger stack would be memory that no limit counts.
    "prlimit64": (302, 261, _allow_zeros(0, 2)),
}
#: Machine → its place in the tables, and its number in the kernel's audit.h.
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
#: Machines that the tables cover, as uname(2) names them.
MACHINES = tuple(_MACHINES)


@functools.cache
def build(machine: str) -> bytes:
    """Return the filter for a machine (one of ``MACHINES``), as an array of ``struct sock_filter``."""
    place, architecture = _MACHINES[machine]
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT), (_JUMP_IF_EQUAL, 1, 0, architecture), _result(_KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]  # fmt: skip
    calls = [(numbers[place], [_result(_ALLOW)]) for numbers in _HARMLESS.values()]
    calls += [((first, second)[place], check) for first, second, check in _CHECKED.values()]
    for number, check in calls:
        if number is not None:
            code += [(_JUMP_IF_EQUAL, 0, len(check), number), *check]
    code.append(_result(_REFUSE))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def numbers(machine: str) -> dict[str, int]:
    """Return the calls on the list that a machine has, with their numbers."""
    place, _ = _MACHINES[machine]
    found = {name: pair[place] for name, pair in _HARMLESS.items()}
    found |= {name: (first, second)[place] for name, (first, second, _) in _CHECKED.items()}
    return {name: number for name, number in found.items() if number is not None}
