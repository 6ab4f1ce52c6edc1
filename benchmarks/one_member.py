#!/usr/bin/env python3
"""``nova`` with a portfolio of one candidate: ``one_member.py MEMBER submit …``; MEMBER is a name in candidates.py.

Only the choice of attempts is replaced; the command is otherwise the one that users run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from novacli import strategy
from novacli.cli.main import main
from novacli.field import Image
from novacli.hints import Hints
from novacli.params import SolveParams
from novacli.sources import Sources
from solvehost.axy import Attempt
from solvehost.indexes import IndexFile


def single_attempt(
    sources: Sources, params: SolveParams, hints: Hints, files: Sequence[IndexFile]
) -> Iterator[Attempt]:
    """Yield the attempt of the member that the command line named."""
    del params, hints, files
    from candidates import candidate, sources_for

    field = sources.field
    if not isinstance(field, Image):
        raise SystemExit("one_member.py: only pictures are tried")
    extraction, table = sources_for(candidate(_NAME), field, {})
    yield candidate(_NAME).attempt(field.width, field.height, table, extraction.binning)


if __name__ == "__main__":
    _NAME = sys.argv.pop(1)
    strategy.attempts = single_attempt
    main()
