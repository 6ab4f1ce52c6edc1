"""``--head``: the solution as a text header for SWarp and SCAMP, which read ``img.head`` beside ``img.fits``.

Each line is a FITS card, the last one is END.  The distortion is written as TPV, since both programs read no SIP.

Source: SWarp user's guide, "External headers".
"""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.description import tpv_cards
    from novacli.files.atomic import write_file

    cards = [*tpv_cards(field.solution.tan_sip), b"END"]
    write_file(target, b"".join(card.rstrip() + b"\n" for card in cards))


EXPORT = Export("head", ".head", "the solution as a text header for SWarp and SCAMP", _write)
