"""Index files made by hand: of one header, as much as a look at them needs, and whole ones of a few stars."""

from __future__ import annotations

import math
import struct
import sys
from pathlib import Path

from solvehost.formats import fitsfile


def make_index(path: Path, low_arcmin: float, high_arcmin: float, *, healpix: int = -1, nside: int = 1) -> Path:
    """Write a file that says it holds quads of these diameters."""
    cards: list[tuple[str, fitsfile.CardValue]] = [
        ("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("INDEXID", 4119), ("HEALPIX", healpix), ("HPNSIDE", nside),
        ("SCALE_L", math.radians(low_arcmin / 60)), ("SCALE_U", math.radians(high_arcmin / 60)),
        ("NSTARS", 10), ("NQUADS", 10),
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(fitsfile.end_header([fitsfile.card(key, value) for key, value in cards]))
    return path


def make_whole_index(
    path: Path, *, index_id: int = 4119, low_arcmin: float = 1400, high_arcmin: float = 2000, healpix: int = -1,
    nside: int = 0, stars: int = 50, quads: int = 80, **changes: fitsfile.CardValue,
) -> Path:  # fmt: skip
    """Write an index file with all its tables; ``changes`` replace cards of the primary header."""
    cards: dict[str, fitsfile.CardValue] = {
        "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, "DIMQUADS": 4, "NQUADS": quads, "NSTARS": stars,
        "INDEXID": index_id, "HEALPIX": healpix, "HPNSIDE": nside, "SCALE_L": math.radians(low_arcmin / 60),
        "SCALE_U": math.radians(high_arcmin / 60), **changes,
    }  # fmt: skip
    star_numbers = struct.pack(f"={4 * quads}I", *(n % stars for n in range(4 * quads)))
    endian = {"little": "04:03:02:01", "big": "01:02:03:04"}[sys.byteorder]
    parts = [
        fitsfile.end_header([fitsfile.card(key, value) for key, value in cards.items()]),
        _table("quads", 16, star_numbers),
        _table("kdtree_header_codes", 0, b"", KDT_NDAT=quads, ENDIAN=endian),
        _table("kdtree_data_codes", 8, bytes(8 * quads)),
        _table("kdtree_perm_codes", 4, struct.pack(f"={quads}I", *range(quads))),
        _table("kdtree_header_stars", 0, b"", KDT_NDAT=stars, ENDIAN=endian),
        _table("kdtree_data_stars", 12, bytes(12 * stars)),
        _table("sweep", 1, bytes(stars)),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path


def _table(name: str, row_bytes: int, data: bytes, **more: fitsfile.CardValue) -> bytes:
    cards: dict[str, fitsfile.CardValue] = {
        "XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": row_bytes,
        "NAXIS2": len(data) // row_bytes if row_bytes else 0, "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": 1,
        "TTYPE1": name, "TFORM1": f"{row_bytes}A", **more,
    }  # fmt: skip
    return fitsfile.end_header([fitsfile.card(key, value) for key, value in cards.items()]) + fitsfile.pad_data(data)
