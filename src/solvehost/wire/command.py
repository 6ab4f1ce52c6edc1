"""The grammar of the remote command line (SSH_ORIGINAL_COMMAND): a verb, a job id, an option; no shell syntax."""

from __future__ import annotations

from typing import NamedTuple

from solvehost.errors import CommandLineError
from solvehost.formats.jobdir import is_id
from solvehost.wire.escaping import escape

SOLVE = "solve"
DETACH, FOLLOW = "--detach", "--follow"
MAX_COMMAND_CHARACTERS = 128

_ID = "ID"
#: Every command, word by word; a word in brackets is optional.
_GRAMMAR = (
    (SOLVE, f"[{DETACH}]"),
    ("info",),
    ("jobs",),
    ("fetch", _ID),
    ("log", _ID, f"[{FOLLOW}]"),
    ("cancel", _ID),
    ("rm", _ID),
)
VERBS = tuple(verb for verb, *_ in _GRAMMAR)


class Command(NamedTuple):
    """A command of the protocol: its verb, its option (or empty), and the id of the job that it concerns (or empty)."""

    verb: str = SOLVE
    option: str = ""
    job_id: str = ""

    @property
    def text(self) -> str:
        """The command line that ssh transmits."""
        return " ".join(word for word in (self.verb, self.job_id, self.option) if word)


def parse_command(text: str | None) -> Command:
    """Parse a remote command line.  No command at all means ``solve``, since the original web pipeline sends none.

    Raises
    ------
    CommandLineError
        If ``text`` is not a command of the protocol; the message lists all commands.
    """
    if not text:
        return Command()
    if len(text) <= MAX_COMMAND_CHARACTERS:
        words = text.split(" ")
        for verb, *rest in _GRAMMAR:
            if words[0] == verb and (command := _match(verb, rest, words[1:])):
                return command
    known = ", ".join(" ".join(words) for words in _GRAMMAR)
    raise CommandLineError(f"'{escape(text)}' is not a command of this server; its commands are {known}")


def _match(verb: str, rest: list[str], words: list[str]) -> Command | None:
    job_id = option = ""
    unmatched = list(words)
    for word in rest:
        if word == _ID and unmatched and is_id(unmatched[0]):
            job_id = unmatched.pop(0)
        elif word == _ID:
            return None
        elif unmatched and unmatched[0] == word.strip("[]"):
            option = unmatched.pop(0)
    return None if unmatched else Command(verb, option, job_id)
