"""Modules that a plain job loads before its turn: many jobs may wait at the same time, and each takes memory."""

from __future__ import annotations

import subprocess
import sys

MODULES = "solvehost.__main__, solvehost.server.forced_command, solvehost.server.runner, solvehost.wire.reply"


def test_a_waiting_job_does_not_load_openssl() -> None:
    """It takes 4 MB, and is needed only for a result."""
    program = f"import sys, {MODULES}, solvehost.server.stored_job; print('_hashlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
