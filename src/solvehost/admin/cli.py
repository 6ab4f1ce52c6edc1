"""The command line of the sysadmin's tools: parse → call → render.

Argparse is used here alone: the server itself never imports it.  The settings' flags are made from ``settings.KEYS``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from solvehost import __version__
from solvehost.admin.records import Report, Result
from solvehost.errors import DeniedError, SolvehostError, UsageError
from solvehost.server import settings
from solvehost.wire.escaping import escape

_PREFIX = "setting_"
_DESCRIPTION = """\
A solve server for astrometry-engine.  Without a command it serves one request from standard input, as a forced
command of sshd; with one it is the sysadmin's tool."""
_EPILOG = """\
exit codes: 0 all is well; 64 usage, 65 data, 66 no such file, 69 no engine or index file, 73 disk, 77 not permitted,
78 configuration"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as all of ``solvehost`` does: in one line, with exit code 64."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}: see {self.prog} --help")


def main(words: Sequence[str]) -> int:
    """Run one of the tools; return the exit code."""
    from solvehost.admin import render  # before a command gives up being root: the user may not read this program

    try:
        found = make_parser().parse_args(words)
        result = _run(found)
        for remark in render.remarks(result):
            _say(remark)
        render.write(result, sys.stdout, as_json=found.as_json)
        sys.stdout.flush()
        return result.exit_code if isinstance(result, Report) else 0
    except SolvehostError as exc:
        _say(str(exc))
        return exc.exit_code
    except PermissionError as exc:
        _say(f"{exc.filename}: {exc.strerror}: run this as root, or as the user that solves")
        return DeniedError.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 74


def _say(text: str) -> None:
    print(f"solvehost: {text if text.isprintable() else escape(text, 1000)}", file=sys.stderr)


# --- The parser ---------------------------------------------------------------------------------------------------


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(prog="solvehost", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("-V", "--version", action="version", version=f"solvehost {__version__}")
    _add_settings(parser)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    _add_authorize(_add(commands, "authorize", "let a key submit jobs, and do nothing else"))
    _add_check(_add(commands, "check", "look at everything that serving safely needs; say what to do"))
    _add(commands, "jobs", "list stored and running jobs of all clients, or of --client")
    collector = _add(commands, "gc", "remove jobs beyond their days, and what crashes left")
    collector.add_argument("--dry-run", action="store_true", help="only say what would go")
    _add_config(_add(commands, "config", "show the settings, or print a file for the sysadmin"))
    return parser


def _add(commands: Any, name: str, meaning: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.", allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    _add_settings(parser)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the server's own flags, as ``settings.KEYS`` defines them; text as it stands, which ``settings`` reads."""
    group = parser.add_argument_group("settings of the server")
    group.add_argument("--config", dest=_PREFIX + "config", metavar="FILE", default=argparse.SUPPRESS,
                       help=f"the configuration file (default: {settings.DEFAULT_FILE})")  # fmt: skip
    for key in settings.KEYS:
        dest, meaning = _PREFIX + key.name, _meaning(key)
        if key.default is False:
            group.add_argument(key.flag, dest=dest, action="store_true", default=argparse.SUPPRESS, help=meaning)
        else:
            group.add_argument(key.flag, dest=dest, metavar=key.unit, default=argparse.SUPPRESS, help=meaning)


def _meaning(key: settings.Key) -> str:
    text = key.meaning if key.default in (None, False) else f"{key.meaning} (default: {key.default})"
    return text.replace("%", "%%")  # which argparse would take for a format


def _add_authorize(parser: argparse.ArgumentParser) -> None:
    from solvehost.admin.authorize import DEFAULT_FILE

    parser.add_argument("key", metavar="KEY.pub", type=Path, help="file of one public key; '/dev/stdin' is one, too")
    parser.add_argument("--from", dest="sources", metavar="PATTERNS", help="addresses that the key may come from")
    parser.add_argument("--expiry", metavar="DATE", help="last day of the key, as 2027-12-31")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--to", type=Path, metavar="FILE", default=DEFAULT_FILE, help=f"default: {DEFAULT_FILE}")
    where.add_argument("--print", action="store_true", dest="only_print", help="print the line, write nothing")
    parser.add_argument("--replace", action="store_true", help="let the new line take the place of the key's old one")


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", metavar="NAME", help="the user that solves (default: oneself; for root: solve)")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="his authorized_keys (default: as sshd says)")
    parser.add_argument("--sshd-config", type=Path, metavar="FILE", help="sshd's configuration (default: its own)")
    parser.add_argument("--no-proof", action="store_true", help="do not solve a drawn field in the end")


def _add_config(parser: argparse.ArgumentParser) -> None:
    from solvehost.admin.config import FILES

    parser.add_argument("action", nargs="?", choices=("show", "print"), default="show", help="default: show")
    parser.add_argument("file", nargs="?", metavar="FILE", help=f"what to print: {', '.join(FILES)}")


# --- The calls ----------------------------------------------------------------------------------------------------


def _run(found: argparse.Namespace) -> Result:
    flags = {name.removeprefix(_PREFIX): value for name, value in vars(found).items() if name.startswith(_PREFIX)}
    return _CALLS[found.command](found, flags)


def _authorize(found: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.authorize import authorize

    to = None if found.only_print else found.to
    return authorize(found.key, flags, sources=found.sources, expiry=found.expiry, to=to, replace=found.replace)


def _check(found: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.check import examine

    return examine(flags, user=found.user, keys=found.keys, sshd_config=found.sshd_config, proof=not found.no_proof)


def _jobs(_found: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.jobs import list_jobs

    config = settings.load(flags)
    return list_jobs(config, config.client if "client" in flags else None)


def _gc(found: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin.gc import collect

    return collect(settings.load(flags), dry_run=found.dry_run)


def _config(found: argparse.Namespace, flags: dict[str, Any]) -> Result:
    from solvehost.admin import config

    if found.action == "show" and found.file is None:
        return config.show(flags)
    if found.action == "show" or found.file is None:
        raise UsageError(f"config print FILE prints one of {', '.join(config.FILES)}")
    return config.print_file(found.file)


_CALLS: dict[str, Callable[[argparse.Namespace, dict[str, Any]], Result]] = {
    "authorize": _authorize,
    "check": _check,
    "jobs": _jobs,
    "gc": _gc,
    "config": _config,
}
