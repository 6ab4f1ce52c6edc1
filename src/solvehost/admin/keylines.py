"""Lines of ``authorized_keys``: taken apart, and written for a forced command.

Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT".
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from solvehost.admin import pubkeys
from solvehost.admin.pubkeys import PublicKey
from solvehost.errors import DataError, UsageError

#: One option: a name, and perhaps a value in quotes, in which a quote is written with a backslash before it.
_OPTION = re.compile(r'([A-Za-z0-9@.-]+)(?:="((?:[^"\\]|\\"|\\)*)")?(,|[ \t]+|$)')
_PATTERN = re.compile(r"!?[A-Za-z0-9.:*?_-]+")
_TIME_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One line: options in their order (a value of None: it takes none), and the key."""

    options: tuple[tuple[str, str | None], ...]
    key: PublicKey

    @property
    def text(self) -> str:
        """The line as it stands in the file."""
        words = [name if value is None else f'{name}="{value}"' for name, value in self.options]
        return " ".join(word for word in (",".join(words), self.key.text) if word)

    def has(self, name: str) -> bool:
        """Say whether an option is there; case does not count."""
        return any(found.lower() == name for found, _ in self.options)

    def value(self, name: str) -> str | None:
        """Return the value of an option, None where it is not there."""
        return next((value for found, value in self.options if found.lower() == name), None)


def parse_line(line: str) -> KeyLine | None:
    """Return what a line holds, None for a blank one or a comment.

    Raises
    ------
    DataError
        Where sshd would pass over it.
    """
    left = line.strip()
    if not left or left.startswith("#"):
        return None
    options: list[tuple[str, str | None]] = []
    while left.split(None, 1)[0] not in pubkeys.TYPES:
        found = _OPTION.match(left)
        if found is None or found.end() == len(left):
            raise DataError("it holds no key that is known")
        value = found[2]
        options.append((found[1], None if value is None else value.replace('\\"', '"')))
        left = left[found.end() :]
        if found[3] != ",":
            break
    return KeyLine(tuple(options), pubkeys.parse(left))


def forced(
    key: PublicKey, command: Sequence[str], *, sources: str | None = None, expiry: str | None = None
) -> KeyLine:  # fmt: skip
    """Return the line that lets a key run ``command`` and nothing else.

    Raises
    ------
    UsageError
        Where a word cannot be carried, or ``sources`` or ``expiry`` make no sense.
    """
    options: list[tuple[str, str | None]] = [("restrict", None), ("command", quoted(command))]
    if sources is not None:
        options.append(("from", checked_sources(sources)))
    if expiry is not None:
        options.append(("expiry-time", expiry_time(expiry)))
    return KeyLine(tuple(options), key)


def quoted(command: Sequence[str]) -> str:
    """Return a command as the user's shell takes it, which runs it for sshd.

    Raises
    ------
    UsageError
        Where a word has a character that not every shell, or the file, carries safely.
    """
    for word in command:
        if not word or not word.isascii() or not word.isprintable() or set(word) & set("\"'\\!"):
            raise UsageError(
                f"{word!r} cannot stand in authorized_keys safely: use plain ASCII without quotes, backslashes and '!'"
            )
    return " ".join(shlex.quote(word) for word in command)


def checked_sources(patterns: str) -> str:
    """Return a list of addresses, host names and networks, as ``from=`` takes it.

    Raises
    ------
    UsageError
        Where one is none, or all are negated, so that none could ever match.
    """
    words = patterns.split(",")
    for word in words:
        if "/" in word:
            _check_network(word.removeprefix("!"))
        elif _PATTERN.fullmatch(word) is None:
            raise UsageError(f"--from: {word!r} is no address, host name or network such as 192.0.2.0/24")
    if all(word.startswith("!") for word in words):
        raise UsageError("--from: nothing but exceptions (!) never matches: name what they are exceptions from")
    return patterns


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=True)
    except ValueError as exc:
        raise UsageError(f"--from: {text!r}: {exc}") from exc


def expiry_time(text: str) -> str:
    """Return a date (2027-12-31 or 20271231), or date and time (202712311200), as ``expiry-time=`` takes it.

    Raises
    ------
    UsageError
        Where it is none, or has passed.
    """
    digits = _ISO_DATE.sub(r"\1\2\3", text)
    when = parse_time(digits)
    if when is None:
        raise UsageError(f"--expiry: {text!r} is no date: write it as 2027-12-31")
    if when < datetime.now():  # sshd, too, reads it in the system's time zone
        raise UsageError(f"--expiry: {text!r} has passed")
    return digits


def parse_time(digits: str) -> datetime | None:
    """Return the moment that an ``expiry-time`` says, in local time, None where it says none."""
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
    """Return program and flags of a forced command that is a ``solvehost``, None of any other.

    Raises
    ------
    DataError
        Where a shell could not read it either.
    """
    try:
        words = shlex.split(command)
    except ValueError as exc:
        raise DataError(f"its command cannot be read: {exc}") from exc
    at = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    program, flags = words[:at], words[at:]
    return (program, flags) if program and _is_solvehost(program[-1]) else None


def _is_solvehost(word: str) -> bool:
    """Say whether a word is this package's name, a program or an archive of that name, or a directory with it."""
    is_named = word.rpartition("/")[2] in ("solvehost", "solvehost.pyz")
    return is_named or word.endswith(".pyz") or Path(word, "solvehost", "__main__.py").is_file()


def without_flags(flags: Sequence[str], drop: Mapping[str, bool]) -> list[str]:
    """Return flags without those named in ``drop``, which says whether a flag takes a value."""
    kept: list[str] = []
    left = list(flags)
    while left:
        word = left.pop(0)
        name, equals, _ = word.partition("=")
        if name not in drop:
            kept.append(word)
        elif drop[name] and not equals and left:
            left.pop(0)
    return kept
