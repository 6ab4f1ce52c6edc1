"""The ``nova`` command group.  Commands are imported when they are used, so ``nova --help`` starts fast."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from importlib import import_module
from typing import Any

import click

from novacli import __version__
from novacli.cli.values import refuse_empty_values
from novacli.errors import InternalError, NovaError, OutputError, fault_text
from novacli.text.printable import printable_line

#: Command → (module with a click object called ``command``, one line for the list); a new one is a file and a line.
COMMANDS = {
    "submit": ("novacli.cli.commands.submit", "Find where on the sky pictures or star lists are."),
    "batch": ("novacli.cli.commands.batch", "Solve many frames, and only those that are not solved yet."),
    "jobs": ("novacli.cli.commands.jobs", "List the jobs kept on this machine."),
    "show": ("novacli.cli.commands.show", "Show a job's result again."),
    "log": ("novacli.cli.commands.log", "Show the engine's log of a job."),
    "export": ("novacli.cli.commands.export", "Write a solution in the formats of other programs."),
    "objects": ("novacli.cli.commands.objects", "List the objects and stars in a solved image."),
    "fetch": ("novacli.cli.commands.fetch", "Fetch the results of jobs that were left with servers."),
    "cancel": ("novacli.cli.commands.cancel", "End jobs that servers are working on."),
    "retry": ("novacli.cli.commands.retry", "Try jobs again from their star lists."),
    "rm": ("novacli.cli.commands.rm", "Remove jobs."),
    "index": ("novacli.cli.commands.index", "List, verify, recommend, get and build index files."),
    "hosts": ("novacli.cli.commands.hosts", "Name solve servers, and check them."),
    "rigs": ("novacli.cli.commands.rigs", "Show or forget what solved frames taught about cameras."),
    "demo": ("novacli.cli.commands.demo", "Draw a real sky field to try the tool with."),
    "doctor": ("novacli.cli.commands.doctor", "Check engine, index files, disk and settings."),
    "config": ("novacli.cli.commands.config", "Show settings and where each comes from."),
    "completion": ("novacli.cli.commands.completion", "Print the shell's completion script."),
}


#: The exit code if the reader of the output has gone (EX_IOERR): results may be missing.
_READER_GONE = 74
#: The last of the three standard file descriptors.
_STDERR = 2
#: Errors of a write to standard output that mean a full disk or an exhausted quota.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only when it is called."""

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

            close = get_close_matches(args[0], COMMANDS, 1)
            if close and not args[0].startswith("-"):
                raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", ctx) from exc
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of ``COMMANDS``."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return refuse_empty_values(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="nova", message="%(prog)s %(version)s")
def cli() -> None:
    """Find where on the sky a picture is.

    Start with: nova submit image.fits
    """


def main() -> None:
    """Run ``nova``; every expected error is one line on stderr and its exit code, never a traceback."""
    try:
        _run()
    finally:
        # The interpreter then leaves out its last garbage collections: 15 ms, for memory that goes anyway.
        gc.freeze()


def _run() -> None:
    _open_closed_streams()
    # One thread is enough for numpy here: starting a pool of threads takes more CPU time than a solve.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # With the default threshold, garbage is collected about a hundred times during the imports, but nothing is freed.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale without ° or … must not end a solve
    try:
        status = cli.main(prog_name="nova", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):  # click turns Ctrl-C into an Abort
        _leave("interrupted; unfinished jobs can be tried again with nova retry", 130)
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.UsageError as exc:
        command = exc.ctx.command_path if exc.ctx else "nova"
        message = exc.format_message().rstrip(".")
        _leave(f"{message}{' See' if message.endswith('?') else ': see'} {command} --help", exc.exit_code)
    except click.ClickException as exc:
        _leave(exc.format_message(), exc.exit_code)
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except NovaError as exc:
        _leave(str(exc), exc.exit_code)
    except Exception as exc:
        if os.environ.get("NOVA_DEBUG"):
            raise
        _leave(fault_text(exc), InternalError.exit_code)
    sys.exit(status if isinstance(status, int) else 0)


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


def _leave(message: str, exit_code: int) -> None:
    click.echo(f"nova: {printable_line(message)}", err=True)
    sys.exit(exit_code)


def _close_stdout() -> None:
    """Redirect stdout to the null device, so that the interpreter's flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
