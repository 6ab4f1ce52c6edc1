"""``solvehost``: without a command, serve one request (what ``authorized_keys`` runs); with one, the sysadmin's tools.

A client's words never come here: they are in SSH_ORIGINAL_COMMAND, whose grammar ``wire.command`` defines.
"""

from __future__ import annotations

import os
import sys

#: For people at a terminal; imported only for them.
_ADMIN = ("authorize", "check", "jobs", "gc", "config", "-h", "--help", "-V", "--version")


def main() -> None:
    """Run ``solvehost``."""
    words = sys.argv[1:]
    if words and words[0] in _ADMIN:
        from solvehost.admin import cli

        sys.exit(cli.main(words))
    from solvehost.server import forced_command

    # Nothing is buffered that would have to be written, and to take the interpreter down costs as much as a solve.
    os._exit(forced_command.main(words, os.environ))


if __name__ == "__main__":
    main()
