"""The grammar of the remote command line (SSH_ORIGINAL_COMMAND): a verb, an id, an option, and nothing of a shell."""

from __future__ import annotations

from typing import NamedTuple

from solvehost.errors import UsageError
from solvehost.formats.jobdir import is_id
from solvehost.wire.escape import escape

SOLVE = "solve"
DETACH, FOLLOW = "--detach", "--follow"
MAX_COMMAND_CHARACTERS = 128

_ID = "ID"
#: Every command, word for word; a word in brackets may be left out.
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
    """What a client asks for: a verb, whether with its one option, and the id of the job that it is about."""

    verb: str = SOLVE
    option: str = ""
    job_id: str = ""

    @property
    def text(self) -> str:
        """The command as it travels."""
        return " ".join(word for word in (self.verb, self.job_id, self.option) if word)


def parse_command(text: str | None) -> Command:
    """Return the command that ``text`` is; none at all (the original pipeline sends none) is ``solve``.

    Raises
    ------
    UsageError
        Where it is no command, with all that there are.
    """
    if not text:
        return Command()
    if len(text) <= MAX_COMMAND_CHARACTERS:
        words = text.split(" ")
        for verb, *rest in _GRAMMAR:
            if words[0] == verb and (command := _match(verb, rest, words[1:])):
                return command
    known = ", ".join(" ".join(words) for words in _GRAMMAR)
    raise UsageError(f"'{escape(text)}' is no command of this server: it knows {known}")


def _match(verb: str, rest: list[str], words: list[str]) -> Command | None:
    job_id = option = ""
    left = list(words)
    for word in rest:
        if word == _ID and left and is_id(left[0]):
            job_id = left.pop(0)
        elif word == _ID:
            return None
        elif left and left[0] == word.strip("[]"):
            option = left.pop(0)
    return None if left else Command(verb, option, job_id)
