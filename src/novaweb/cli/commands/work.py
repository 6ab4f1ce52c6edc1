"""``nova-web work``: solve the pictures in the queue."""

from __future__ import annotations

import signal

import click

from novacli import config as nova_configuration
from novacli.batch.executors import HERE, MODULES
from novacli.errors import UsageError
from novaweb import config as configuration
from novaweb import django_start


@click.command("work")
@click.option(
    "--slots",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Pictures that are solved at a time.  [default: the setting slots of nova]",
)
@click.option("--to", "place", metavar="PLACE", help="Where pictures are solved, as nova submit --to takes it.")
@click.option(
    "--executor",
    type=click.Choice(sorted(MODULES)),
    default=HERE,
    show_default=True,
    help="Where pictures are read and stars are found: on this machine, or on a Dask cluster.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Address of the Dask scheduler.")
def command(slots: int | None, place: str | None, executor: str, scheduler: str | None) -> int:
    """Solve the pictures in the queue until SIGTERM or Ctrl-C.

    Pictures that are being solved are finished first; a second signal leaves them to the next worker.
    """
    if (executor == HERE) == (scheduler is not None):
        raise UsageError("--scheduler and --executor dask belong together: give both, or neither")
    django_start.start()
    from novaweb.dispatcher import Dispatcher

    nova = nova_configuration.load()
    web = configuration.load().replaced("--to", to=place)
    asked: list[int] = []
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda given, _frame: asked.append(given))
    dispatcher = Dispatcher(web, nova, executor, slots or nova["slots"], scheduler)
    dispatcher.run(lambda: len(asked))
    return 0
