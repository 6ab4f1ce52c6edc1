"""The command line of the sysadmin's tools."""

from __future__ import annotations

from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Run one of the tools; return the exit code."""
    raise NotImplementedError(words)
