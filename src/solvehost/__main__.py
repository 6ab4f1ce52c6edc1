"""``solvehost``: it serves one request, as the forced command of a key; with a command, it is a tool for the sysadmin.

Nothing that a client sends is in ``sys.argv``: its command is in SSH_ORIGINAL_COMMAND, which ``wire.command`` parses.
"""

from __future__ import annotations

import gc
import os
import sys

#: Words that start a tool for the sysadmin.  Only then are its modules imported.
_ADMIN = ("authorize", "check", "jobs", "gc", "config", "-h", "--help", "-V", "--version")


def main() -> None:
    """Run ``solvehost``."""
    words = sys.argv[1:]
    if words and words[0] in _ADMIN:
        from solvehost.admin import cli

        sys.exit(cli.main(words))
    gc.set_threshold(100_000)  # imports make thousands of objects, and searching them for garbage finds none
    from solvehost.server import forced_command

    # No buffered output is left to write, and a regular shutdown of the interpreter takes as much CPU time as a solve.
    os._exit(forced_command.main(words, os.environ))


if __name__ == "__main__":
    main()
