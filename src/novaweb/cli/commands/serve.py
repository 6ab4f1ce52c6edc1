"""``nova-web serve``: answer requests, with waitress."""

from __future__ import annotations

import signal
import sys
import tempfile
from typing import Any

import click

from novacli.errors import UnavailableError, UsageError
from novaweb import django_start

_THREADS = 8
_MEGABYTE = 10**6
#: Room for the largest request-json beside a small limit.
_LEAST_BODY_BYTES = 40 * _MEGABYTE
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
    from django.conf import settings

    from novaweb.wsgi import application

    tempfile.tempdir = settings.FILE_UPLOAD_TEMP_DIR  # waitress buffers large bodies; /tmp may be small, or in memory
    # A body up to twice the limit is read and answered with an error that a client can show; a larger one is cut off.
    body_bytes = 2 * settings.NOVAWEB["max_upload_mb"] * _MEGABYTE
    try:
        server = waitress.create_server(
            application,
            host=host,
            port=port,
            threads=threads,
            ident="nova-web",
            max_request_body_size=max(body_bytes, _LEAST_BODY_BYTES),
            **_behind(settings.NOVAWEB["trusted_proxy"]),
        )
    except OSError as exc:
        raise UnavailableError(f"{host}:{port} cannot be used: {exc.strerror}: choose another --port") from exc
    except ValueError as exc:
        raise UsageError(f"--host {host}: this is no address of this machine") from exc
    # waitress then finishes the requests that it has begun, and their files in the spool folder are removed.
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda *_: sys.exit(0))
    click.echo(f"answering at http://{host}:{port}/", err=True)
    server.run()
    return 0


def _behind(proxy: str | None) -> dict[str, Any]:
    """Return the options with which waitress takes the addresses of clients from a proxy; those of others are not."""
    if proxy is None:
        return {}
    headers = {"x-forwarded-for", "x-forwarded-proto"}
    return {"trusted_proxy": proxy, "trusted_proxy_headers": headers, "clear_untrusted_proxy_headers": True}
