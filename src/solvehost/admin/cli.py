"""The command line of the sysadmin's tools: parse the words, call the command, print its result.

Only this module imports argparse; the server never does.  Flags of settings are made from ``settings.KEYS``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from solvehost import __version__
from solvehost.admin.records import CheckReport, Result
from solvehost.errors import CommandLineError, DeniedError, NovaError, TransferError
from solvehost.server import settings

_PREFIX = "setting_"
_DESCRIPTION = """\
A solve server for astrometry-engine.  Without a command, it serves one request from standard input, as a forced
command of sshd.  The commands are tools for the sysadmin."""
_EPILOG = """\
exit codes: 0 all is well; 64 usage, 65 data, 66 no such file, 69 no engine or index file, 73 disk, 77 not permitted,
78 configuration"""


class _Parser(argparse.ArgumentParser):
    """Reports errors like the rest of ``solvehost``: in one line, with exit code 64."""

    def error(self, message: str) -> NoReturn:
        raise CommandLineError(f"{message}: see {self.prog} --help")


def main(words: Sequence[str]) -> int:
    """Run one of the tools; return the exit code."""
    # Imported before a command gives up root, since the other user may not be allowed to read this program.
    from solvehost.admin import render

    def say(text: str) -> None:
        print(f"solvehost: {render.printable(text, sys.stderr)}", file=sys.stderr)

    try:
        arguments = make_parser().parse_args(words)
        result = _run(arguments)
        for note in render.notes(result):
            say(note)
        render.write(result, sys.stdout, as_json=arguments.as_json)
        sys.stdout.flush()
        return result.exit_code if isinstance(result, CheckReport) else 0
    except NovaError as exc:
        say(str(exc))
        return exc.exit_code
    except PermissionError as exc:
        say(f"{exc.filename}: {exc.strerror}: run this as root, or as the user that the server runs as")
        return DeniedError.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return TransferError.exit_code


# --- The parser ---------------------------------------------------------------------------------------------------


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(prog="solvehost", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("-V", "--version", action="version", version=f"solvehost {__version__}")
    _add_settings(parser)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    _add_authorize(_add(commands, "authorize", "let a key submit jobs, and do nothing else"))
    _add_check(_add(commands, "check", "check everything that safe serving needs, and say what to do"))
    _add(commands, "jobs", "list stored and running jobs of all clients, or of --client")
    collector = _add(commands, "gc", "remove expired jobs, and what crashes left behind")
    collector.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    _add_config(_add(commands, "config", "show the settings, or print a file to install"))
    return parser


def _add(commands: Any, name: str, meaning: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.", allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    _add_settings(parser)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the server, as ``settings.KEYS`` defines them; ``settings.load`` parses their values."""
    group = parser.add_argument_group("settings of the server")
    group.add_argument("--config", dest=_PREFIX + "config", metavar="FILE", default=argparse.SUPPRESS,
                       help=f"the configuration file (default: {settings.DEFAULT_FILE})")  # fmt: skip
    for key in settings.KEYS:
        dest, meaning = _PREFIX + key.name, _help_text(key)
        if key.default is False:
            group.add_argument(key.flag, dest=dest, action="store_true", default=argparse.SUPPRESS, help=meaning)
        else:
            group.add_argument(key.flag, dest=dest, metavar=key.unit, default=argparse.SUPPRESS, help=meaning)


def _help_text(key: settings.SettingKey) -> str:
    text = key.meaning if key.default in (None, False) else f"{key.meaning} (default: {key.default})"
    return text.replace("%", "%%")  # argparse formats the text with the % operator


def _add_authorize(parser: argparse.ArgumentParser) -> None:
    from solvehost.admin.authorize import DEFAULT_FILE

    parser.add_argument("key", metavar="KEY.pub", type=Path, help="file with one public key, for example /dev/stdin")
    parser.add_argument("--from", dest="sources", metavar="PATTERNS", help="addresses from which the key may be used")
    parser.add_argument("--expiry", metavar="DATE", help="date from which the key is refused, for example 2027-12-31")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--to", type=Path, metavar="FILE", default=DEFAULT_FILE, help=f"default: {DEFAULT_FILE}")
    where.add_argument("--print", action="store_true", dest="only_print", help="print the line, write nothing")
    parser.add_argument("--replace", action="store_true", help="replace the line that the file has for this key")


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", metavar="NAME", help="user of the server (default: this user; for root, solve)")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="authorized_keys file (default: as sshd is set)")
    parser.add_argument("--sshd-config", type=Path, metavar="FILE", help="sshd's configuration (default: sshd's own)")
    parser.add_argument("--through-sshd", type=Path, metavar="KEY",
                        help="also solve a job through sshd, with this private key of a client")  # fmt: skip
    parser.add_argument("--no-proof", action="store_true", help="do not send test jobs")


def _add_config(parser: argparse.ArgumentParser) -> None:
    from solvehost.admin.config import FILES

    parser.add_argument("action", nargs="?", choices=("show", "print"), default="show", help="default: show")
    parser.add_argument("file", nargs="?", metavar="FILE", help=f"the file to print: {', '.join(FILES)}")


# --- The calls ----------------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace) -> Result:
    flags = {name.removeprefix(_PREFIX): value for name, value in vars(arguments).items() if name.startswith(_PREFIX)}
    return _CALLS[arguments.command](arguments, flags)


def _authorize(arguments: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.authorize import authorize

    to = None if arguments.only_print else arguments.to
    return authorize(
        arguments.key, flags, sources=arguments.sources, expiry=arguments.expiry, to=to, replace=arguments.replace
    )


def _check(arguments: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.check import check

    return check(
        flags, user=arguments.user, keys=arguments.keys, sshd_config=arguments.sshd_config,
        with_trial_jobs=not arguments.no_proof, client_key=arguments.through_sshd,
    )  # fmt: skip


def _jobs(_arguments: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.jobs import list_jobs

    config = settings.load(flags)
    return list_jobs(config, config.client if "client" in flags else None)


def _gc(arguments: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.gc import collect

    return collect(settings.load(flags), dry_run=arguments.dry_run)


def _config(arguments: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin import config

    if arguments.action == "show" and arguments.file is None:
        return config.show(flags)
    if arguments.action == "show" or arguments.file is None:
        raise CommandLineError(f"config print needs one of the files {', '.join(config.FILES)}")
    return config.print_file(arguments.file)


_CALLS: dict[str, Callable[[argparse.Namespace, dict[str, Any]], Result]] = {
    "authorize": _authorize,
    "check": _check,
    "jobs": _jobs,
    "gc": _gc,
    "config": _config,
}
