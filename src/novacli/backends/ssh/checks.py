"""What ``nova hosts check`` looks at on a server: one small function for each check."""

from __future__ import annotations

import time
from collections.abc import Iterator

from novacli.backends.ssh import packing
from novacli.backends.ssh.child_process import Call
from novacli.backends.ssh.exit_codes import remedy_of
from novacli.backends.ssh.limits import TimeUpError
from novacli.backends.ssh.sample_field import make_sample
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.server_pool import ASK_ONE_S, KnownServer, ask_one
from novacli.config import Config
from novacli.doctor.index_files import fields_text
from novacli.errors import (
    InternalError,
    NovaError,
    RetryLaterError,
    TransferError,
    UnavailableError,
)
from novacli.indexes.coverage import partial_skies
from novacli.indexes.series import LIKELY_INDEXES
from novacli.records.budget import Budget
from novacli.records.check import Check
from novacli.text.quantities import bytes_text, count_text
from solvehost import wire
from solvehost.formats import axy
from solvehost.formats.jobdir import WCS
from solvehost.wire import Info

_ROUND_TRIP_S = 60.0
_REFUSED_PTY = "PTY allocation request failed"
_REFUSED_FORWARDING = "administratively prohibited"
_REMEDY_RESTRICT = "the key's line on the server should begin with restrict (solvehost authorize writes it so)"
#: How much of what ssh prints is read when a privilege is asked for.
_MAX_OUTPUT_BYTES = 1 << 20


def check_server(server: Server, config: Config) -> Iterator[Check]:
    """Yield all checks of a server; only the first if the server cannot be reached."""
    began = time.monotonic()
    try:
        known = ask_one(server, Budget.of_seconds(ASK_ONE_S))
    except NovaError as exc:
        yield _connection_failure(server, exc)
        return
    took_s = time.monotonic() - began
    destination = server.host.destination
    yield Check("connection", True, f"{destination}: ssh logs in without a question, in {took_s:.2f} s")
    if known.info is None:
        yield from _legacy_checks()
    else:
        yield from _info_checks(known, known.info)
    yield _check_round_trip(server, known, config)
    yield from _privilege_checks(server)


def _connection_failure(server: Server, exc: NovaError) -> Check:
    message = str(exc).removeprefix(f"{server.name}: ")
    if isinstance(exc, RetryLaterError):
        destination = server.host.destination
        by_hand = f"try ssh {destination} by hand; its host key must be known and a key of yours loaded"
        remedy = remedy_of(message, destination)
        detail = message.removesuffix(f": {remedy}")
        return Check("connection", False, detail, remedy or by_hand, RetryLaterError.exit_code)
    remedy = "the key's forced command must be solvehost, and the account's shell must print nothing by itself"
    return Check("answer", False, message, remedy, TransferError.exit_code)


def _legacy_checks() -> Iterator[Check]:
    detail = "it runs the original script: one star list a connection, no --detach, index files unknown"
    yield Check("answer", None, detail, "jobs are solved nevertheless; install solvehost there to get the rest")


def _info_checks(known: KnownServer, info: Info) -> Iterator[Check]:
    versions = ", ".join(map(str, info.protocols))
    detail = f"solvehost {info.version}, protocol {versions}; it knows you as {info.client}"
    yield Check("answer", True, wire.escape(detail, 200))
    remedy = (
        ""
        if info.sandbox
        else "its kernel lacks Landlock or seccomp, or they are switched off: see solvehost check there"
    )
    yield Check(
        "sandbox", True if info.sandbox else None, "engines are confined" if info.sandbox else "incomplete", remedy
    )
    yield from _index_checks(known)
    slots = count_text(info.slots, "engine")
    waiting = count_text(info.waiting, "job")
    yield Check("load", True, f"{slots} may run at once, {info.running} running, {waiting} waiting")


def _index_checks(known: KnownServer) -> Iterator[Check]:
    files = known.index_files()
    if not files:
        remedy = "see solvehost check there"
        yield Check("index files", False, "there are none", remedy, UnavailableError.exit_code)
        return
    yield Check("index files", True, f"{len(files)} ({bytes_text(sum(f.size_bytes for f in files))})")
    yield Check("fields", True, fields_text(files))
    yield from (Check("sky", None, text) for text in partial_skies(files))


def _check_round_trip(server: Server, known: KnownServer, config: Config) -> Check:
    """Have a small job solved."""
    files = known.index_files()
    sample = make_sample(LIKELY_INDEXES if files is None else files, config)
    job_id = packing.new_wire_id("check")
    request = b"".join(wire.write_request(job_id, {1: axy.to_bytes(sample.attempt)}))
    began = time.monotonic()
    try:
        reply = server.solve(job_id, request, Budget.of_seconds(_ROUND_TRIP_S))
    except (NovaError, TimeUpError) as exc:
        message = str(exc).removeprefix(f"{server.name}: ") or f"no answer within {_ROUND_TRIP_S:g} s"
        return Check("round trip", False, message, "see solvehost check there", InternalError.exit_code)
    is_solved = WCS in reply.files
    took_s = time.monotonic() - began
    detail = f"{sample.description} there and back in {took_s:.2f} s, {'solved' if is_solved else 'unsolved'}"
    if sample.is_sky and not is_solved:
        return Check("round trip", None, detail, "its index files should have solved it: see solvehost check there")
    if not is_solved:
        detail += ": only the connection is tested, as this machine has no index file to take real stars from"
    return Check("round trip", True, detail)


def _privilege_checks(server: Server) -> Iterator[Check]:
    """Yield checks that the key gives no terminal and no connection onward from the server."""
    pty = _ssh_output(server, ("-tt",), ("info",))
    yield _check_refused("terminal", pty, _REFUSED_PTY, "none is given", "the server gives one")
    forwarding = _ssh_output(server, ("-S", "none", "-W", "127.0.0.1:1"), ())
    yield _check_refused("forwarding", forwarding, _REFUSED_FORWARDING, "none is allowed", "it is not refused")


def _check_refused(name: str, output: str | None, refusal: str, refused: str, granted: str) -> Check:
    if output is None:
        return Check(name, None, "the server did not answer when asked for it", "check again later")
    return Check(name, True, refused) if refusal in output else Check(name, None, granted, _REMEDY_RESTRICT)


def _ssh_output(server: Server, options: tuple[str, ...], words: tuple[str, ...]) -> str | None:
    """Return what ssh prints on stderr when a privilege is asked for; None if the server does not answer."""
    # At a lower level ssh does not print that a request was refused.
    options = ("-oLogLevel=INFO", *options)
    command = server.ssh.command(server.host.destination, words, options)
    try:
        with Call(command, b"", Budget.of_seconds(ASK_ONE_S)) as call:
            left = _MAX_OUTPUT_BYTES
            while left > 0 and (data := call.read(left)):
                left -= len(data)
            return "\n".join(call.finish().stderr_lines)
    except (NovaError, TimeUpError):
        return None
