"""What a confined engine may touch: rules for Landlock, which ``exec_helper.py`` hands to the kernel.

An engine reads the system's libraries, its own program, its star list and its index files, and writes into its working
directory; everything else on the disk, TCP, and signals to other processes are out of its reach.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from solvehost.engine.exec_helper import landlock_abi

#: What programs need of a system; the paths that a system does not have are passed over.
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf.d",
           "/etc/localtime", "/nix/store", "/gnu/store")  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def is_available() -> bool:
    """Say whether the kernel can confine engines."""
    return landlock_abi() > 0


def rules(engine: Path, working: Path, reads: Iterable[Path]) -> str:
    """Return the rules for one engine: its program, its working directory, and the files that it reads.

    Index files may be links that leave their directory, and the kernel looks at where they lead.
    """
    program = engine.resolve()
    # Of an engine with a prefix of its own, such as conda's, the libraries: in bin/astrometry-engine and lib/.
    libraries = [program.parent.parent / name for name in ("lib", "lib64")]
    lines = [f"rx {path}" for path in (*_SYSTEM, program, *libraries)]
    lines += [f"rw {path}" for path in (*_DEVICES, working)]
    lines += [f"r {os.path.realpath(path)}" for path in reads]
    return "\n".join(lines)
