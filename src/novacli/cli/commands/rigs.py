"""``nova rigs``: show or forget the scale, parity and pointing learned from solved frames, for each rig."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import click

from novacli import config as configuration
from novacli.errors import InputMissingError, OutputError, UsageError
from novacli.text.columns import write_aligned
from novacli.text.printable import printable_line
from novacli.text.quantities import count_text

if TYPE_CHECKING:
    from novacli.rigs.store import Rig, RigStore

_HEADINGS = ("RIG", "SIZE", "SCALE", "PARITY", "FRAMES", "LAST", "CAMERA")
_KEY_SHOWN = 8


@click.group("rigs")
def command() -> None:
    """Show or forget rigs: what solved frames taught about each optical setup.

    A rig is a camera behind its telescope or lens.  Its scale, parity and last pointing are the first hints for its
    next frame.  The setting learn, or nova submit --no-learn, switches this off.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each rig.")
def list_(as_json: bool) -> int:
    """List the known rigs, last used first."""
    known = _rig_store().all()
    if as_json:
        for rig in known:
            click.echo(json.dumps(rig.to_json()))
    elif known:
        write_aligned([_HEADINGS, *map(_cells, known)], sys.stdout)
    elif sys.stdout.isatty():
        click.echo("nova: no rig is known yet: rigs are learned from solved images", err=True)
    return 0


@command.command("forget")
@click.argument("rigs", metavar="[RIG]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Forget all rigs.")
def forget(rigs: tuple[str, ...], everything: bool) -> int:
    """Forget rigs; RIG is the beginning of an id in nova rigs list."""
    if everything == bool(rigs):
        raise UsageError("name a rig, or give --all: see nova rigs list")
    store = _rig_store()
    keys = None if everything else {_key_of(name, store.all()) for name in rigs}
    try:
        count = store.forget(keys)
    except OSError as exc:
        raise OutputError(f"{store.path}: {exc.strerror}: it cannot be changed; check its permissions") from exc
    click.echo(f"forgot {count_text(count, 'rig')}")
    return 0


def _rig_store() -> RigStore:
    from novacli.rigs.store import RigStore

    return RigStore(configuration.UserFolders.from_environment(os.environ).rigs_file)


def _key_of(name: str, known: list[Rig]) -> str:
    matches = [rig.key for rig in known if name and rig.key.startswith(name)]
    if not matches:
        raise InputMissingError(f"there is no rig {name[:32]!r}: see nova rigs list")
    if len(matches) > 1:
        raise UsageError(f"rig {name!r} could be {', '.join(matches)}: give more characters of its id")
    return matches[0]


def _cells(rig: Rig) -> tuple[str, ...]:
    last = time.strftime("%Y-%m-%d %H:%M", time.localtime(rig.solved_s))
    scale = f'{rig.pixscale_arcsec:.4g}"/px'
    size = f"{rig.width}x{rig.height}"
    return rig.key[:_KEY_SHOWN], size, scale, f"{rig.parity:+d}", str(rig.frames), last, printable_line(rig.name)
