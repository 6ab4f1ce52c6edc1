"""Inspect installed index files one by one: header, length, content and checksums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from novacli.errors import DataError
from novacli.indexes.checksums import stated_checksums
from novacli.indexes.series import name_problem
from novacli.indexes.structure import check_content
from solvehost.indexes import index_set
from solvehost.record import record


@record
class Inspection:
    """The outcome for one file.

    ``problem`` says what is wrong, None if nothing is; ``proofs`` are the sources of the checksums that agreed.
    """

    path: Path
    problem: str | None
    proofs: tuple[str, ...] = ()


def inspect(places: Iterable[Path]) -> Iterator[Inspection]:
    """Yield the outcome for each index file in some folders, and for each file that is named.

    A FITS file in a folder that neither is an index file nor is named like one is left out.
    """
    found = index_set.scan(places)
    damaged = dict(found.damaged)
    for path in sorted({*damaged, *(file.path for file in found.files)}):
        problem = damaged.get(path)
        yield _inspect_content(path) if problem is None else Inspection(path, problem)


def _inspect_content(path: Path) -> Inspection:
    try:
        problem = name_problem(check_content(path))
        stated = stated_checksums(path)
        wrong = [checksum.source for checksum in stated if not checksum.matches(path)]
    except (DataError, KeyError, ValueError, TypeError) as exc:
        return Inspection(path, str(exc) if isinstance(exc, DataError) else "its header cannot be understood")
    except OSError as exc:
        return Inspection(path, exc.strerror or str(exc))
    if wrong:
        return Inspection(path, f"its content was changed: its checksum is not that of {wrong[0]}")
    return Inspection(path, problem, tuple(checksum.source for checksum in stated))
