"""What a confined engine may do: rules for Landlock and a filter for seccomp, which ``exec_helper.py`` installs.

Landlock: an engine reads the system's libraries, its own program, its star list and its index files, writes into its
working directory, and executes its own program.  All other files are forbidden.  seccomp: it makes the system calls of
``syscall_filter.py``.  Each is used if the kernel has it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from solvehost.engine import syscall_filter
from solvehost.engine.exec_helper import CALLS, filters_calls, landlock_abi

#: What programs read of a system; paths that a system does not have are ignored.
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf.d",
           "/etc/localtime", "/dev/urandom", "/nix/store", "/gnu/store")  # fmt: skip
LANDLOCK, SECCOMP = "Landlock", "seccomp filter"
#: First version of Landlock that governs something → what that is.
_GOVERNED_FROM = {3: "truncation of files", 4: "TCP", 5: "ioctl on devices", 6: "signals and abstract sockets"}
_NULL_DEVICE = "/dev/null"
_ELF, _SCRIPT = b"\x7fELF\x02\x01", b"#!"  # a 64-bit little-endian program
_HEAD_BYTES, _ELF_HEADER_BYTES = 4096, 64
_PT_INTERP = 3
#: A script's interpreter, and the dynamic loader of that.
_MAX_INTERPRETERS = 3


def missing() -> tuple[str, ...]:
    """Return the names of what this kernel lacks for confining engines; empty if it lacks nothing."""
    parts = {LANDLOCK: landlock_abi() > 0, SECCOMP: filters_calls()}
    return tuple(name for name, is_available in parts.items() if not is_available)


def landlock_gaps(version: int) -> list[str]:
    """Return what a version of Landlock does not govern and later ones do."""
    return [what for first, what in _GOVERNED_FROM.items() if version < first]


def rules(engine: Path, working: Path, reads: Iterable[Path]) -> str:
    """Return the rules for one engine, one on a line, as ``exec_helper.py`` parses them.

    Parameters
    ----------
    engine
        The engine's program, which it may read and execute.
    working
        Its working directory, which it may write to.
    reads
        Files that it reads.  The kernel checks the target of a link, so links are resolved.
    """
    program = engine.resolve()
    # An engine in a prefix of its own, such as conda's bin/astrometry-engine, has its libraries in lib/ beside bin/.
    libraries = [program.parent.parent / name for name in ("lib", "lib64")]
    lines = [f"r {path}" for path in (*_SYSTEM, *libraries)]
    lines += [f"rx {path}" for path in (program, *_interpreters(program))]
    lines += [f"rw {path}" for path in (_NULL_DEVICE, working)]
    lines += [f"r {os.path.realpath(path)}" for path in reads]
    return "\n".join([*lines, *_calls()])


def rules_of_calls(engine: Path) -> str:
    """Return rules that limit the system calls alone, for an engine that runs on its user's own machine.

    A script in place of the engine gets no limit: its user wrote it, and it may start other programs.
    """
    return "\n".join(_calls()) if _head(engine).startswith(_ELF) else ""


def _calls() -> list[str]:
    return [f"{CALLS} {syscall_filter.build(os.uname().machine).hex()}"] if filters_calls() else []


def _interpreters(program: Path) -> Iterator[str]:
    """Yield the programs that the kernel executes to run a program: a script's interpreter, a dynamic loader."""
    path = str(program)
    for _ in range(_MAX_INTERPRETERS):
        path = _interpreter(path)
        if not path:
            return
        yield path


def _interpreter(path: str) -> str:
    """Return the interpreter that a script's first line or a program's header names, empty if there is none."""
    head = _head(path)
    if head.startswith(_SCRIPT):
        words = head[len(_SCRIPT) :].partition(b"\n")[0].split()
        return os.fsdecode(words[0]) if words else ""
    if not head.startswith(_ELF) or len(head) < _ELF_HEADER_BYTES:
        return ""
    (headers_at,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for at in range(headers_at, headers_at + size * count, max(size, 1)):
        if len(head) < at + 40:
            break
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", head, at)
        if kind == _PT_INTERP:
            return os.fsdecode(head[offset : offset + length].rstrip(b"\0"))
    return ""


def _head(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - for each engine that starts
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""
