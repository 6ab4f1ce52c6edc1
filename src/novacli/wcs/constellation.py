"""In which constellation a place on the sky lies; light, for the table that ``nova submit`` prints.

The boundaries are those of Roman (1987), which astropy ships as package data.  The file is read directly: importing
astropy for one word would cost more than the rest of the report.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from pathlib import Path

from novacli.wcs.tansip import wrap_degrees

# Delporte drew the boundaries along circles of right ascension and declination of B1875.0 (JD 2405889.25855).  This is
# the IAU 2006 precession from J2000.0 to that date, from ERFA's eraBp06 (its matrix "rp"; the frame bias, 0.02", and
# the difference between the FK4 and FK5 equinoxes, about 1", are left out).
_J2000_TO_B1875 = (
    (0.9995359270, 0.0279353071, 0.0121469820),
    (-0.0279353057, 0.9996097188, -0.0001698236),
    (-0.0121469853, -0.0001695849, 0.9999262083),
)

_NAMES = {
    "And": "Andromeda", "Ant": "Antlia", "Aps": "Apus", "Aqr": "Aquarius", "Aql": "Aquila", "Ara": "Ara",
    "Ari": "Aries", "Aur": "Auriga", "Boo": "Boötes", "Cae": "Caelum", "Cam": "Camelopardalis", "Cnc": "Cancer",
    "CVn": "Canes Venatici", "CMa": "Canis Major", "CMi": "Canis Minor", "Cap": "Capricornus", "Car": "Carina",
    "Cas": "Cassiopeia", "Cen": "Centaurus", "Cep": "Cepheus", "Cet": "Cetus", "Cha": "Chamaeleon",
    "Cir": "Circinus", "Col": "Columba", "Com": "Coma Berenices", "CrA": "Corona Australis",
    "CrB": "Corona Borealis", "Crv": "Corvus", "Crt": "Crater", "Cru": "Crux", "Cyg": "Cygnus", "Del": "Delphinus",
    "Dor": "Dorado", "Dra": "Draco", "Equ": "Equuleus", "Eri": "Eridanus", "For": "Fornax", "Gem": "Gemini",
    "Gru": "Grus", "Her": "Hercules", "Hor": "Horologium", "Hya": "Hydra", "Hyi": "Hydrus", "Ind": "Indus",
    "Lac": "Lacerta", "Leo": "Leo", "LMi": "Leo Minor", "Lep": "Lepus", "Lib": "Libra", "Lup": "Lupus",
    "Lyn": "Lynx", "Lyr": "Lyra", "Men": "Mensa", "Mic": "Microscopium", "Mon": "Monoceros", "Mus": "Musca",
    "Nor": "Norma", "Oct": "Octans", "Oph": "Ophiuchus", "Ori": "Orion", "Pav": "Pavo", "Peg": "Pegasus",
    "Per": "Perseus", "Phe": "Phoenix", "Pic": "Pictor", "Psc": "Pisces", "PsA": "Piscis Austrinus",
    "Pup": "Puppis", "Pyx": "Pyxis", "Ret": "Reticulum", "Sge": "Sagitta", "Sgr": "Sagittarius", "Sco": "Scorpius",
    "Scl": "Sculptor", "Sct": "Scutum", "Ser": "Serpens", "Sex": "Sextans", "Tau": "Taurus", "Tel": "Telescopium",
    "Tri": "Triangulum", "TrA": "Triangulum Australe", "Tuc": "Tucana", "UMa": "Ursa Major", "UMi": "Ursa Minor",
    "Vel": "Vela", "Vir": "Virgo", "Vol": "Volans", "Vul": "Vulpecula",
}  # fmt: skip


def constellation_at(ra_deg: float, dec_deg: float) -> tuple[str, str] | None:
    """Return the constellation at a J2000 position as (IAU abbreviation, full name).

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS right ascension and declination, degrees.

    Returns
    -------
    tuple or None
        ``("UMa", "Ursa Major")``; None where the boundary table is not installed or the position is not finite.

    Source: Roman, N. G. 1987, PASP 99, 695 (CDS VI/42): the first boundary, from north to south, that has the
    position's right ascension between its ends and lies south of it.
    """
    ra_hours, dec_b1875_deg = _precess_to_b1875(ra_deg, dec_deg)
    for ra_low, ra_high, dec_low, abbreviation in _boundaries():
        if ra_low <= ra_hours < ra_high and dec_low <= dec_b1875_deg:
            return abbreviation, _NAMES[abbreviation]
    return None


def _precess_to_b1875(ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """Return (right ascension in hours, declination in degrees), equator and equinox of B1875.0."""
    if not (math.isfinite(ra_deg) and math.isfinite(dec_deg)):
        return math.nan, math.nan
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    direction = (math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec))
    x, y, z = (sum(m * d for m, d in zip(row, direction, strict=True)) for row in _J2000_TO_B1875)
    return wrap_degrees(math.degrees(math.atan2(y, x))) / 15, math.degrees(math.atan2(z, math.hypot(x, y)))


@functools.cache
def _boundaries() -> tuple[tuple[float, float, float, str], ...]:
    """Return Roman's rows (RA low, RA high in hours, Dec low in degrees, abbreviation), or () if there is no table."""
    path = _table_path()
    try:
        lines = path.read_text(encoding="ascii").splitlines() if path else []
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        table = tuple((float(low), float(high), float(dec), name) for low, high, dec, name in rows)
    except (OSError, ValueError):
        return ()
    return table if all(row[3] in _NAMES for row in table) else ()


def _table_path() -> Path | None:
    """Locate astropy's copy of the table without importing astropy."""
    spec = importlib.util.find_spec("astropy")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "coordinates" / "data" / "constellation_data_roman87.dat"
