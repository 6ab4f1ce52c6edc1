"""Describes the matches in the engine's log for the records of ``false_solutions.py``."""

from __future__ import annotations

from typing import Any

from nosky import TrueSky

from solvehost.formats.match_lines import LoggedMatch


def as_list(match: LoggedMatch, truth: TrueSky | None) -> list[Any]:
    """Return a list for a record: log-odds, counts, pixel scale, and whether it is at the image's true position."""
    is_true = truth is not None and truth.is_at(match.ra_deg, match.dec_deg, match.pixscale_arcsec)
    counts = [match.matched, match.conflicts, match.distractors, match.index_stars]
    return [round(match.logodds, 2), *counts, float(f"{match.pixscale_arcsec:.3g}"), int(is_true)]
