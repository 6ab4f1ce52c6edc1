"""``nova-web serve``: answer requests, with waitress."""

from __future__ import annotations

import click

from novacli.errors import UnavailableError
from novaweb import django_start

_THREADS = 8
_DEFAULT_PORT = 8764


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=_DEFAULT_PORT, show_default=True, help="Port.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=_THREADS,
    show_default=True,
    metavar="N",
    help="Requests that are answered at a time; slow uploads do not count.",
)
def command(host: str, port: int, threads: int) -> int:
    """Answer requests until SIGTERM or Ctrl-C.  Pictures are solved by nova-web work."""
    django_start.start()
    import waitress

    from novaweb.wsgi import application

    try:
        server = waitress.create_server(application, host=host, port=port, threads=threads, ident="nova-web")
    except OSError as exc:
        raise UnavailableError(f"{host}:{port} cannot be used: {exc.strerror}: choose another --port") from exc
    click.echo(f"answering at http://{host}:{port}/", err=True)
    server.run()
    return 0
