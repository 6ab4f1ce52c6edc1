"""THE wire protocol between a client and a solve server, version 1.  Prose: docs/reference/wire-protocol.md.

This package alone defines it, and both ends use it.  ``read`` is, throughout, a callable like ``stream.read1``: asked
for at most n bytes it returns at least one, or none at the end.  What else it raises passes through, so deadlines and
minimum rates are the business of whoever makes it.

``escape``     what the other side said, made safe to print
``tarblocks``  a bounded reader and a plain writer of tar archives
``request``    the id line and the star lists
``reply``      the manifest and the result files, or what upstream's script sends
``lines``      what ``info`` and the verbs about stored jobs answer
``command``    the grammar of the remote command line
"""

from solvehost.wire.command import Command, parse_command
from solvehost.wire.escape import escape, escape_lines
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
