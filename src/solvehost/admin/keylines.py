"""Lines of ``authorized_keys``: parse any line, and write the line of a forced command.

Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT".
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from solvehost.admin import pubkeys
from solvehost.admin.pubkeys import PublicKey
from solvehost.errors import CommandLineError, DataError
from solvehost.record import record

#: One option: a name, and perhaps a value in quotes, in which a backslash precedes each quote.
_OPTION = re.compile(r'([A-Za-z0-9@.-]+)(?:="((?:[^"\\]|\\"|\\)*)")?(,|[ \t]+|$)')
_PATTERN = re.compile(r"!?[A-Za-z0-9.:*?_-]+")
_TIME_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


@record
class KeyLine:
    """One line: its options in order (the value is None for an option without a value), and the key."""

    options: tuple[tuple[str, str | None], ...]
    key: PublicKey

    @property
    def text(self) -> str:
        """The line as it is written into the file."""
        words = [name if value is None else f'{name}="{value}"' for name, value in self.options]
        return " ".join(word for word in (",".join(words), self.key.text) if word)

    def has(self, name: str) -> bool:
        """Return True if the line has an option, in any case."""
        return any(found.lower() == name for found, _ in self.options)

    def value(self, name: str) -> str | None:
        """Return the value of an option, None if the line lacks the option."""
        return next((value for found, value in self.options if found.lower() == name), None)


def parse_line(line: str) -> KeyLine | None:
    """Parse a line; return None for a blank line or a comment.

    Raises
    ------
    DataError
        If the line is invalid; sshd ignores such lines.
    """
    rest = line.strip()
    if not rest or rest.startswith("#"):
        return None
    options: list[tuple[str, str | None]] = []
    while rest.split(None, 1)[0] not in pubkeys.TYPES:
        option = _OPTION.match(rest)
        if option is None or option.end() == len(rest):
            raise DataError("the line has no key of a known type")
        value = option[2]
        options.append((option[1], None if value is None else value.replace('\\"', '"')))
        rest = rest[option.end() :]
        if option[3] != ",":
            break
    return KeyLine(tuple(options), pubkeys.parse(rest))


def forced(
    key: PublicKey, command: Sequence[str], *, sources: str | None = None, expiry: str | None = None
) -> KeyLine:  # fmt: skip
    """Return the line that lets a key run one command, and nothing else.

    Parameters
    ----------
    key
        The key.
    command
        Words of the command.
    sources
        Addresses from which the key may be used, as for ``from=``; by default, all.
    expiry
        Date from which sshd refuses the key, as for :func:`expiry_time`; by default, never.

    Raises
    ------
    CommandLineError
        If a word has characters that cannot be quoted safely, or ``sources`` or ``expiry`` is invalid.
    """
    options: list[tuple[str, str | None]] = [("restrict", None), ("command", quote_command(command))]
    if sources is not None:
        options.append(("from", check_sources(sources)))
    if expiry is not None:
        options.append(("expiry-time", expiry_time(expiry)))
    return KeyLine(tuple(options), key)


def quote_command(command: Sequence[str]) -> str:
    """Quote the words of a command for the user's shell, with which sshd runs it.

    Raises
    ------
    CommandLineError
        If a word has a character that some shells, or authorized_keys, cannot quote safely.
    """
    for word in command:
        if not word or not word.isascii() or not word.isprintable() or set(word) & set("\"'\\!"):
            raise CommandLineError(
                f"{word!r} cannot be written into authorized_keys safely: "
                "use ASCII characters other than quotes, backslashes and '!'"
            )
    return " ".join(shlex.quote(word) for word in command)


def check_sources(patterns: str) -> str:
    """Return ``patterns``, a list of addresses, host names and networks for ``from=``, if it is valid.

    Raises
    ------
    CommandLineError
        If a pattern is invalid, or all are exceptions, so that no address can match.
    """
    words = patterns.split(",")
    for word in words:
        if "/" in word:
            _check_network(word.removeprefix("!"))
        elif _PATTERN.fullmatch(word) is None:
            raise CommandLineError(f"--from: {word!r} is not an address, a host name, or a network like 192.0.2.0/24")
    if all(word.startswith("!") for word in words):
        raise CommandLineError(
            "--from: it has only exceptions (!), so no address matches: add the addresses to allow, or *"
        )
    return patterns


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=True)
    except ValueError as exc:
        raise CommandLineError(f"--from: {text!r}: {exc}") from exc


def expiry_time(text: str) -> str:
    """Convert a date (2027-12-31 or 20271231) or a date with a time (202712311200) to the format of ``expiry-time=``.

    Raises
    ------
    CommandLineError
        If the text is not a date, or the date has passed.
    """
    digits = _ISO_DATE.sub(r"\1\2\3", text)
    when = parse_time(digits)
    if when is None:
        raise CommandLineError(f"--expiry: {text!r} is not a date: write it like 2027-12-31")
    if when < datetime.now():  # local time, as in sshd
        raise CommandLineError(f"--expiry: {text!r} has passed: give a later date")
    return digits


def parse_time(digits: str) -> datetime | None:
    """Return the local time that a value of ``expiry-time`` means, None if it is invalid."""
    in_utc = digits.endswith("Z")
    digits = digits.removesuffix("Z")
    layout = _TIME_FORMATS.get(len(digits))
    if layout is None or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        found = datetime.strptime(digits, layout)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC).astimezone().replace(tzinfo=None) if in_utc else found


def split_command(command: str) -> tuple[list[str], list[str]] | None:
    """Split a forced command that starts ``solvehost`` into program and flags; return None for any other command.

    Raises
    ------
    DataError
        If the command has unbalanced quotes.
    """
    try:
        words = shlex.split(command)
    except ValueError as exc:
        raise DataError(f"its command cannot be parsed: {exc}") from exc
    at = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    program, flags = words[:at], words[at:]
    return (program, flags) if program and _is_solvehost(program[-1]) else None


def _is_solvehost(word: str) -> bool:
    """Return True if a word is the name or path of ``solvehost``, a zipapp, or a directory with the package."""
    is_named = word.rpartition("/")[2] in ("solvehost", "solvehost.pyz")
    return is_named or word.endswith(".pyz") or Path(word, "solvehost", "__main__.py").is_file()


def without_flags(flags: Sequence[str], drop: Mapping[str, bool]) -> list[str]:
    """Return flags without those in ``drop``, which maps the name of a flag to whether it takes a value."""
    kept: list[str] = []
    rest = list(flags)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if name not in drop:
            kept.append(word)
        elif drop[name] and not equals and rest:
            rest.pop(0)
    return kept
