"""``nova export``: write the solution of a kept job in the formats of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from novacli.cli.jobargs import JOB, JOBS_DIR, open_store
from novacli.cli.options import as_path
from novacli.errors import UsageError
from novacli.exports.registry import Export, all_exports
from novacli.text.printable import printable_line


def _word(export: Export) -> str:
    """Return the name of an export as ``--as`` takes it."""
    return export.option.removeprefix("--")


_EXPORTS = {_word(export): export for export in all_exports()}
_HELP = """Write the solution of a job in the formats of other programs.

JOB is an id from nova jobs, the beginning of one, or "last".

NAME is one of:

\b
""" + "\n".join(f"{word:<12}{export.help}" for word, export in _EXPORTS.items())


@click.command("export", help=_HELP, context_settings={"max_content_width": 100})
@JOB
@click.option(
    "--as", "words", multiple=True, required=True, type=click.Choice(list(_EXPORTS)), metavar="NAME",
    help="What to write; repeatable.",
)  # fmt: skip
@click.option("-o", "--out", "paths", multiple=True, metavar="FILE", help="The file to write, one for each --as.")
@click.option("-D", "--dir", "directory", metavar="DIR", help="Folder of files that -o does not name.  [default: .]")
@click.option("--image", metavar="FILE", help="The image, if it was moved since it was solved.")
@click.option("-O", "--overwrite", is_flag=True, help="Replace files that exist; never the image.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@JOBS_DIR
def command(
    job: str,
    words: tuple[str, ...],
    paths: tuple[str, ...],
    directory: str | None,
    image: str | None,
    overwrite: bool,
    as_json: bool,
    jobs_dir: str | None,
) -> int:
    """Write the solution of a job in the formats of other programs."""
    exports = _chosen(words)
    if paths and len(paths) != len(exports):
        raise UsageError(
            f"there are {len(paths)} files for {len(exports)} exports: give -o once for each --as, or never"
        )
    if paths and directory is not None:
        raise UsageError("--dir is the folder of files that -o does not name: give one or the other")
    found = open_store(jobs_dir).find(job)
    from novacli.exports.kept_job import check_image, solved_field
    from novacli.exports.naming import standard_files
    from novacli.exports.request import OutputRequest, check_requests, write_outputs
    from novacli.inputs.kinds import FileInput

    field = solved_field(found, as_path(image))
    given = FileInput(field.origin.path or field.origin.name)
    named = dict(zip((export.name for export in exports), map(Path, paths), strict=True)) if paths else None
    files = named or standard_files(given, exports, as_path(directory) or Path(), None)
    request = OutputRequest(files=files, overwrite=overwrite)
    check_requests([given], [request])
    if any(export.needs_image(files[export.name]) for export in exports):
        check_image(field)
    written, notes = write_outputs(request, field, None)
    if as_json:
        click.echo(json.dumps({"job": found.job_id, "files": written, "notes": list(notes)}))
        return 0
    for name in files:
        click.echo(f"{name:<12}{printable_line(str(files[name]))}")
    for note in notes:
        click.echo(f"nova: {printable_line(note)}", err=True)
    return 0


def _chosen(words: tuple[str, ...]) -> tuple[Export, ...]:
    """Return the exports that are asked for; raise UsageError if one is asked for twice."""
    twice = next((word for word in words if words.count(word) > 1), None)
    if twice is not None:
        raise UsageError(f"--as {twice} is given twice: one file of each kind can be written at a time")
    return tuple(_EXPORTS[word] for word in words)
