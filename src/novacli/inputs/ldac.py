"""The header of the image in a FITS_LDAC catalogue of SExtractor: the cards, as one text, in the table LDAC_IMHEAD."""

from __future__ import annotations

from typing import Any

import numpy as np

from novacli.inputs import headers
from novacli.records.field import HeaderValue
from solvehost.formats import fitsfile

_TABLE = "LDAC_IMHEAD"


def image_header(hdus: Any, number: int) -> dict[str, HeaderValue]:
    """Return the header of the image whose stars are in a table.

    Parameters
    ----------
    hdus
        The open FITS file, by fitsio.
    number
        The 0-based number of the HDU with the stars; its image's header is in the HDU before it.

    Returns
    -------
    dict
        The header; empty if that HDU is no LDAC_IMHEAD, or is damaged.
    """
    if number < 1 or str(hdus[number - 1].get_info().get("extname", "")).upper() != _TABLE:
        return {}
    try:
        text = str(np.asarray(hdus[number - 1].read()).ravel()[0][0])
        block = text.encode("latin-1")
        cards = fitsfile.parse_cards(block + b" " * (-len(block) % fitsfile.CARD))
    except (OSError, ValueError, RuntimeError, IndexError):
        return {}
    return headers.plain(cards.items())
