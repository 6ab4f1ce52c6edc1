"""The wire protocol between a client and a solve server, version 1: both ends use this package.

Its specification in prose is docs/reference/wire-protocol.md.

``command``    the grammar of the remote command line
``request``    what a client sends: the id line and the star lists
``reply``      what a server sends back: the manifest and the result files
``json_lines`` what ``info`` and the commands about stored jobs answer
``tarblocks``  a bounded reader and a writer of tar archives
``escaping``   text of the other side, made safe to print
``json_types`` checks of JSON values that came over the wire

``read`` is, throughout, a callable like ``stream.read1``: asked for at most n bytes, it returns at least one byte, or
none at the end of the stream.  Exceptions that it raises pass through, so its caller sets deadlines and minimum rates.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvehost.wire.command import Command, parse_command
    from solvehost.wire.escaping import escape, escape_lines
    from solvehost.wire.json_lines import IndexLine, Info, JobLine, read_info, read_jobs, write_line
    from solvehost.wire.reply import Reply, read_reply, write_reply
    from solvehost.wire.request import Request, read_id, read_request, write_request
    from solvehost.wire.tarblocks import Read

#: Version of the protocol.
PROTOCOL = 1

__all__ = [
    "PROTOCOL",
    "Command",
    "IndexLine",
    "Info",
    "JobLine",
    "Read",
    "Reply",
    "Request",
    "escape",
    "escape_lines",
    "parse_command",
    "read_id",
    "read_info",
    "read_jobs",
    "read_reply",
    "read_request",
    "write_line",
    "write_reply",
    "write_request",
]

_MODULES = {
    "command": ("Command", "parse_command"),
    "escaping": ("escape", "escape_lines"),
    "json_lines": ("IndexLine", "Info", "JobLine", "read_info", "read_jobs", "write_line"),
    "reply": ("Reply", "read_reply", "write_reply"),
    "request": ("Request", "read_id", "read_request", "write_request"),
    "tarblocks": ("Read",),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: a server that refuses a request needs few of them (PEP 562)."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
