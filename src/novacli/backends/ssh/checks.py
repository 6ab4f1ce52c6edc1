"""What ``nova hosts check`` looks at: one small function a check, as for ``nova doctor``."""

from __future__ import annotations

import time
from collections.abc import Iterator

from novacli.backends.ssh import packing
from novacli.backends.ssh.exit_codes import remedy_of
from novacli.backends.ssh.gate import Call, TimeUpError, Watch
from novacli.backends.ssh.peers import PATIENCE_S, Peer, ask_one
from novacli.backends.ssh.samples import sample_job
from novacli.backends.ssh.server import Server
from novacli.config import Config
from novacli.doctor.checks import Check, fields_text
from novacli.errors import NovaError, RetryLaterError
from novacli.indexes.coverage import partial_skies
from novacli.text.quantities import bytes_text, count_text
from solvehost import wire
from solvehost.formats import axy
from solvehost.formats.jobdir import WCS
from solvehost.wire import Info

CONNECTION, ANSWER, INDEXES, ROUND_TRIP = "connection", "answer", "index files", "round trip"
#: What a failing check means for the exit code; the others never fail.
EXIT_CODES = {CONNECTION: 75, ANSWER: 74, INDEXES: 69, ROUND_TRIP: 70}

_ROUND_TRIP_S = 60.0
_REFUSED_PTY = "PTY allocation request failed"
_REFUSED_FORWARDING = "administratively prohibited"
_REMEDY_RESTRICT = "the key's line on the server should begin with restrict (solvehost authorize writes it so)"


def check_server(server: Server, config: Config) -> Iterator[Check]:
    """Look at everything; what cannot be looked at for want of a connection is left out."""
    began = time.monotonic()
    try:
        peer = ask_one(server, Watch.of_seconds(PATIENCE_S))
    except NovaError as exc:
        yield _unanswered(server, exc)
        return
    took_s = time.monotonic() - began
    yield Check(CONNECTION, True, f"{server.place.destination}: ssh logs in without a question, in {took_s:.2f} s")
    if peer.info is None:
        yield from _legacy_checks()
    else:
        yield from _info_checks(peer, peer.info)
    yield _round_trip(server, peer, config)
    yield from _privileges(server)


def _unanswered(server: Server, exc: NovaError) -> Check:
    words = str(exc).removeprefix(f"{server.name}: ")
    if isinstance(exc, RetryLaterError):
        by_hand = f"try ssh {server.place.destination} by hand; its host key must be known and a key of yours loaded"
        remedy = remedy_of(words, server.place.destination)
        return Check(CONNECTION, False, words.removesuffix(f": {remedy}"), remedy or by_hand)
    remedy = "the key's forced command must be solvehost, and the account's shell must print nothing by itself"
    return Check(ANSWER, False, words, remedy)


def _legacy_checks() -> Iterator[Check]:
    what = "it runs the original script: one star list a connection, no --detach, index files unknown"
    yield Check(ANSWER, None, what, "install solvehost there; until then, jobs are solved all the same")


def _info_checks(peer: Peer, info: Info) -> Iterator[Check]:
    versions = ", ".join(map(str, info.protocols))
    who = f"solvehost {info.version}, protocol {versions}; it knows you as {info.client}"
    yield Check(ANSWER, True, wire.escape(who, 200))
    remedy = "" if info.sandbox else "its kernel has no Landlock, or it is switched off: see solvehost check there"
    yield Check("sandbox", True if info.sandbox else None, "engines are confined" if info.sandbox else "none", remedy)
    files = peer.index_files()
    if files:
        yield Check(INDEXES, True, f"{len(files)} ({bytes_text(sum(f.size_bytes for f in files))})")
        yield Check("fields", True, fields_text(files))
        yield from (Check("sky", None, text) for text in partial_skies(files))
    else:
        yield Check(INDEXES, False, "there are none", "see solvehost check there")
    slots = count_text(info.slots, "engine")
    yield Check(
        "load", True, f"{slots} may run at once, {info.running} running, {count_text(info.waiting, 'job')} waiting"
    )


def _round_trip(server: Server, peer: Peer, config: Config) -> Check:
    """Have a small job solved."""
    sample = sample_job(peer.index_files(), config)
    job_id = packing.new_wire_id("check")
    request = b"".join(wire.write_request(job_id, {1: axy.to_bytes(sample.attempt)}))
    began = time.monotonic()
    try:
        reply = server.solve(job_id, request, Watch.of_seconds(_ROUND_TRIP_S))
    except (NovaError, TimeUpError) as exc:
        words = str(exc).removeprefix(f"{server.name}: ") or f"no answer within {_ROUND_TRIP_S:g} s"
        return Check(ROUND_TRIP, False, words, "see solvehost check there")
    is_solved = WCS in reply.files
    came = f"{sample.words} there and back in {time.monotonic() - began:.2f} s, {'solved' if is_solved else 'unsolved'}"
    if sample.is_sky and not is_solved:
        return Check(ROUND_TRIP, None, came, "its index files should have solved it: see solvehost check there")
    proof = "" if is_solved else ": proof of the way alone, for no sky has them, and there is no index file here"
    return Check(ROUND_TRIP, True, came + proof)


def _privileges(server: Server) -> Iterator[Check]:
    """Say whether the key may do more than it needs: have a terminal, or connect on from the server."""
    pty = _said(server, ("-tt",), ("info",))
    yield _privilege("terminal", pty, _REFUSED_PTY, "none is given", "one is given to whoever asks")
    forwarding = _said(server, ("-S", "none", "-W", "127.0.0.1:1"), ())
    yield _privilege("forwarding", forwarding, _REFUSED_FORWARDING, "none is allowed", "it is not refused")


def _privilege(name: str, said: str | None, refusal: str, refused: str, granted: str) -> Check:
    if said is None:
        return Check(name, None, "the server did not answer when asked for it", "look again later")
    return Check(name, True, refused) if refusal in said else Check(name, None, granted, _REMEDY_RESTRICT)


def _said(server: Server, options: tuple[str, ...], words: tuple[str, ...]) -> str | None:
    """Return what ssh and the server say on stderr to a request for a privilege, None where they do not answer."""
    # At a lower level ssh keeps the refusals to itself.
    options = ("-oLogLevel=INFO", *options)
    command = server.ssh.command(server.place.destination, words, options)
    try:
        with Call(command, b"", Watch.of_seconds(PATIENCE_S)) as call:
            left = 1 << 20
            while left > 0 and (data := call.read(left)):
                left -= len(data)
            return "\n".join(call.finish().said)
    except (NovaError, TimeUpError):
        return None
