"""``nova-web demo``: try the service on this machine, with a drawn sky."""

from __future__ import annotations

import click

_DEFAULT_PORT = 8764


@click.command("demo")
@click.option("--port", type=click.IntRange(1, 65535), default=_DEFAULT_PORT, show_default=True, help="Port.")
@click.option("--once", is_flag=True, help="End when the drawn sky is solved, with exit code 0 if it was.")
def command(port: int, once: bool) -> int:
    """Start server and worker on loopback, upload a drawn sky, and print the API key; Ctrl-C ends all.

    The data are kept in the folder that the setting data_dir names.
    """
    from novaweb.demo import run

    return run(port, ends=once)
