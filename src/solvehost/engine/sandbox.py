"""What a confined engine may open: rules for Landlock, which ``exec_helper.py`` passes to the kernel.

An engine reads the system's libraries, its own program, its star list and its index files, and writes into its working
directory.  All other files, TCP, and signals to other processes are forbidden.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from solvehost.engine.exec_helper import landlock_abi

#: What programs need of a system; paths that a system does not have are ignored.
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf.d",
           "/etc/localtime", "/nix/store", "/gnu/store")  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def is_available() -> bool:
    """Return True if the kernel can confine engines."""
    return landlock_abi() > 0


def rules(engine: Path, working: Path, reads: Iterable[Path]) -> str:
    """Return the rules for one engine, one line ``ACCESS PATH`` for each path.

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
    lines = [f"rx {path}" for path in (*_SYSTEM, program, *libraries)]
    lines += [f"rw {path}" for path in (*_DEVICES, working)]
    lines += [f"r {os.path.realpath(path)}" for path in reads]
    return "\n".join(lines)
