"""The ``nova-web`` command group."""

from __future__ import annotations

import click

from novacli import __version__
from novacli.cli.program import LazyGroup, run

#: Command → (module with a click object called ``command``, one line for the list); a new one is a file and a line.
COMMANDS = {
    "demo": ("novaweb.cli.commands.demo", "Try the service: everything on this machine, with a drawn sky."),
    "serve": ("novaweb.cli.commands.serve", "Answer requests."),
    "work": ("novaweb.cli.commands.work", "Solve the pictures in the queue."),
    "migrate": ("novaweb.cli.commands.migrate", "Make the database, or bring it up to date."),
    "user": ("novaweb.cli.commands.user", "Make and list users."),
    "key": ("novaweb.cli.commands.key", "Make, list and revoke API keys."),
    "gc": ("novaweb.cli.commands.gc", "Remove what was deleted."),
    "config": ("novaweb.cli.commands.config", "Show settings and where each comes from."),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="nova-web", message="%(prog)s %(version)s")
def cli() -> None:
    """Run a plate-solving service with the API of nova.astrometry.net.

    Start with: nova-web demo
    """


def main() -> None:
    """Run ``nova-web``."""
    run(cli, "nova-web", "interrupted")
