#!/usr/bin/env python3
"""``nova`` with a portfolio of one candidate: ``one_member.py MEMBER submit …``; MEMBER is a name in candidates.py.

Only the choice of attempts is replaced; everything else is the command that users run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from novacli.cli.main import main
from novacli.extraction.extractor import StarExtractor
from novacli.hints import Hints
from novacli.matchers.base import Matcher
from novacli.records.params import SolveParams
from novacli.strategy import attempts
from solvehost.formats.axy import Attempt
from solvehost.indexes.index_file import IndexFile


def single_attempt(
    extractor: StarExtractor,
    params: SolveParams,
    hints: Hints,
    files: Sequence[IndexFile],
    matcher: Matcher | None = None,
) -> Iterator[Attempt]:
    """Yield the attempt of the member that the command line named."""
    del params, hints, files, matcher
    from candidates import candidate

    yield candidate(_NAME).attempt(extractor)


if __name__ == "__main__":
    _NAME = sys.argv.pop(1)
    attempts.plan_attempts = single_attempt
    main()
