"""A program of lazily imported commands, and its errors: ``nova`` and ``nova-web``."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from novacli.cli.values import refuse_empty_values
from novacli.errors import InternalError, NovaError, OutputError, fault_text
from novacli.text.printable import printable_line

#: The exit code if the reader of the output has gone (EX_IOERR): results may be missing.
_READER_GONE = 74
#: The last of the three standard file descriptors.
_STDERR = 2
#: Errors of a write to standard output that mean a full disk or an exhausted quota.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only when it is called.

    Parameters
    ----------
    table
        Command → (module with a click object called ``command``, one line for the list).
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; end quietly if the reader of its output has gone, as in ``nova jobs | head``."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _close_stdout()
            return _READER_GONE
        except OSError as exc:
            if exc.errno not in _FULL or exc.filename is not None:
                raise
            _close_stdout()
            raise OutputError(
                f"the output cannot be written: {exc.strerror}: free some space, and run the command again"
            ) from exc
        return status

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command; if there is none of that name, suggest a similar one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exc:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.table, 1)
            if close and not args[0].startswith("-"):
                raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", ctx) from exc
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        if cmd_name not in self.table:
            return None
        command: click.Command = import_module(self.table[cmd_name][0]).command
        return refuse_empty_values(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


def run(group: click.Group, program: str, interrupted: str) -> None:
    """Run a program; every expected error is one line on stderr and its exit code, never a traceback.

    Parameters
    ----------
    group
        Its commands.
    program
        Its name, with which messages begin.
    interrupted
        The message after Ctrl-C.
    """
    try:
        _run(group, program, interrupted)
    finally:
        # The interpreter then leaves out its last garbage collections: 15 ms, for memory that goes anyway.
        gc.freeze()


def _run(group: click.Group, program: str, interrupted: str) -> None:
    _open_closed_streams()
    # One thread is enough for numpy here: starting a pool of threads takes more CPU time than a solve.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # With the default threshold, garbage is collected about a hundred times during the imports, but nothing is freed.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale without ° or … must not end a solve
    try:
        status = group.main(prog_name=program, standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):  # click turns Ctrl-C into an Abort
        _leave(program, interrupted, 130)
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.UsageError as exc:
        command = exc.ctx.command_path if exc.ctx else program
        message = _as_one_line(exc).rstrip(".")
        _leave(program, f"{message}{' See' if message.endswith('?') else ': see'} {command} --help", exc.exit_code)
    except click.ClickException as exc:
        _leave(program, _as_one_line(exc), exc.exit_code)
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except NovaError as exc:
        _leave(program, str(exc), exc.exit_code)
    except Exception as exc:
        if os.environ.get("NOVA_DEBUG"):
            raise
        _leave(program, fault_text(exc), InternalError.exit_code)
    sys.exit(status if isinstance(status, int) else 0)


def _as_one_line(exc: click.ClickException) -> str:
    """Return the message of an error of click, which lists choices one a line."""
    return " ".join(exc.format_message().split())


def _open_closed_streams() -> None:
    """Open the standard streams that the caller has closed (``nova … >&-``) on the null device.

    Otherwise the next file that is opened gets the number of a standard stream, and what is printed ends up in it.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(fd, True)
    os.close(fd)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open until the end


def _leave(program: str, message: str, exit_code: int) -> None:
    click.echo(f"{program}: {printable_line(message)}", err=True)
    sys.exit(exit_code)


def _close_stdout() -> None:
    """Redirect stdout to the null device, so that the interpreter's flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
