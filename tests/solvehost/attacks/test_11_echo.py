"""Attack 11: control characters in text that the server repeats: on standard error, in the log, in ``log --follow``."""

from __future__ import annotations

import pytest
from attack_server import Server, each, request, told
from rawwire import END, header, member, pax
from test_04_axy import card, hostile

NASTY = b"\x1b[2J\x1b]0;owned\x07\r\x9b31m\xe2\x80\xae\\"

CASES = [
    ("id", NASTY[:60] + b"\n", 65),
    ("name of a member", b"job-1\n" + member(NASTY) + END, 65),
    ("prefix of a name", b"job-1\n" + header(b"x", prefix=NASTY) + END, 65),
    ("name of a link", b"job-1\n" + header(NASTY, 0, b"2") + END, 65),
    ("unknown type", b"job-1\n" + header(b"job.axy", 0, b"\x1b") + END, 65),
    ("pax keyword", b"job-1\n" + pax(b"GNU.sparse." + NASTY + b"=x") + END, 65),
    ("what is no archive", b"job-1\n" + NASTY * 100, 65),
    ("word in a card", request(hostile(card("ANPARITY", "'\x1b[2J'"))), 65),
    ("number in a card", request(hostile(card("ANPOSERR", "'\x1b]0;x\x07'"))), 65),
    ("column of the table", request(hostile(card("ANXCOL", "'\x1b[2J'"))), 65),
    ("form of the table", request(hostile().replace(b"'E       '", b"'\x1b[2J\r  '")), 65),
]


@pytest.mark.parametrize(("stream", "code"), **each(CASES))
def test_refusals_are_escaped(server: Server, stream: bytes, code: int) -> None:
    server.assert_refused(server.run(stream), code, "")


def test_commands_are_escaped_and_cut(server: Server) -> None:
    done = server.run(b"", ssh_command="\x1b[2J\x07" + "x" * 10_000)
    server.assert_refused(done, 64, "x1b[2J")


def test_unknown_cards_are_escaped_and_their_number_is_limited(server: Server) -> None:
    cards = [b"\x1b[2J\x07\r  = 1".ljust(80), *(card(f"\x1b[{n}", "1") for n in range(500))]
    done = server.run(request(hostile(*cards)))
    server.assert_served(done)
    said = [line for line in done.stderr.splitlines() if "cards are not used" in line]
    assert len(said) == 1
    assert "501 cards" in said[0]
    assert len(said[0]) < 300


def test_the_output_of_an_engine_is_escaped(server: Server) -> None:
    """On standard error; backend.log in the reply has the engine's own bytes."""
    done = server.run(told("escapes"))
    _, files = server.assert_served(done)
    assert "\\x1b[2J\\x1b]0;title\\x07" in done.stderr
    assert bytes(range(256)) in files["backend.log"]


def test_the_output_of_an_engine_is_escaped_for_followers(server: Server) -> None:
    from test_detached import wait_for_state

    assert server.run(told("escapes"), ssh_command="solve --detach").code == 0
    wait_for_state(server, "job-1", "unsolved")
    for command in ("log job-1", "log job-1 --follow"):
        done = server.run(ssh_command=command)
        assert done.code == 0
        assert b"\\x1b[2J\\x1b]0;title\\x07" in done.stdout
        text = done.stdout.decode("ascii").replace("\n", "").replace("\t", "")
        assert text.isprintable()
    server.assert_clean()
