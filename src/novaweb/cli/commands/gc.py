"""``nova-web gc``: remove what was deleted."""

from __future__ import annotations

import click

from novacli.text.quantities import count_text
from novaweb import django_start


@click.command("gc")
def command() -> int:
    """Remove deleted submissions with their files, uploads and jobs that nothing refers to, and old sessions."""
    django_start.start()
    from django.conf import settings

    from novaweb import folders
    from novaweb.garbage import collect

    removed = collect(folders.of(settings.NOVAWEB))
    parts = (
        count_text(removed.submissions, "submission"),
        count_text(removed.uploads, "upload"),
        f"{removed.jobs} job {'directory' if removed.jobs == 1 else 'directories'}",
        count_text(removed.sessions, "session"),
    )
    click.echo(f"removed: {', '.join(parts)}")
    return 0
