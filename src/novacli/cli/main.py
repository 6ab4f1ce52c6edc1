"""The ``nova`` command group.  Commands are imported when they are used, so ``nova --help`` starts fast."""

from __future__ import annotations

import click

from novacli import __version__
from novacli.cli.program import LazyGroup, run

#: Command → (module with a click object called ``command``, one line for the list); a new one is a file and a line.
COMMANDS = {
    "submit": ("novacli.cli.commands.submit", "Find where on the sky pictures or star lists are."),
    "batch": ("novacli.cli.commands.batch", "Solve many frames, and only those that are not solved yet."),
    "jobs": ("novacli.cli.commands.jobs", "List the jobs kept on this machine."),
    "show": ("novacli.cli.commands.show", "Show a job's result again."),
    "log": ("novacli.cli.commands.log", "Show the engine's log of a job."),
    "export": ("novacli.cli.commands.export", "Write a solution in the formats of other programs."),
    "objects": ("novacli.cli.commands.objects", "List the objects and stars in a solved image."),
    "plot": ("novacli.cli.commands.plot", "Make an annotated picture of a solved image."),
    "fetch": ("novacli.cli.commands.fetch", "Fetch the results of jobs that were left with servers."),
    "cancel": ("novacli.cli.commands.cancel", "End jobs that servers are working on."),
    "retry": ("novacli.cli.commands.retry", "Try jobs again from their star lists."),
    "rm": ("novacli.cli.commands.rm", "Remove jobs."),
    "index": ("novacli.cli.commands.index", "List, verify, recommend, get and build index files."),
    "login": ("novacli.cli.commands.login", "Keep the API key of a web service."),
    "hosts": ("novacli.cli.commands.hosts", "Name solve servers, and check them."),
    "rigs": ("novacli.cli.commands.rigs", "Show or forget what solved frames taught about cameras."),
    "demo": ("novacli.cli.commands.demo", "Draw a real sky field to try the tool with."),
    "doctor": ("novacli.cli.commands.doctor", "Check engine, index files, disk and settings."),
    "config": ("novacli.cli.commands.config", "Show settings and where each comes from."),
    "completion": ("novacli.cli.commands.completion", "Print the shell's completion script."),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="nova", message="%(prog)s %(version)s")
def cli() -> None:
    """Find where on the sky a picture is.

    Start with: nova submit image.fits
    """


def main() -> None:
    """Run ``nova``."""
    run(cli, "nova", "interrupted; unfinished jobs can be tried again with nova retry")
