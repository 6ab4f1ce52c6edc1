from __future__ import annotations

import io
import string
import warnings

import made_results as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.fits import cards as fitscards
from novacli.fits import celestial
from novacli.wcs.header import cards as header_cards
from solvehost.formats import fitsfile

NEW = [fitsfile.card("WCSAXES", 2), *header_cards(made.solution_of(made.wcs_fits()))]
IMAGE = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 2, "NAXIS1": 719, "NAXIS2": 507}


def cards(**values: fitsfile.CardValue) -> list[bytes]:
    return [fitsfile.card(k, v) for k, v in {**IMAGE, **values}.items()]


def words(header: list[bytes]) -> list[str]:
    return [fitscards.keyword(card) for card in header]


OLD = [
    *("WCSAXES", "CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CUNIT1", "CUNIT2"),
    *("CDELT1", "CDELT2", "CROTA1", "CROTA2", "PC1_1", "PC2_1", "PC001001", "CD1_1", "CD2_2", "CD001002"),
    *("PV1_1", "PV2_39", "PS1_0", "PROJP1", "LONPOLE", "LATPOLE", "EQUINOX", "RADESYS", "RADECSYS"),
    *("A_ORDER", "B_ORDER", "A_0_2", "B_3_0", "AP_ORDER", "BP_ORDER", "AP_1_1", "BP_0_0", "A_DMAX", "B_DMAX"),
    *("CPDIS1", "D2IMDIS1", "D2IMERR1", "D2IMARR", "D2IMEXT", "AXISCORR", "WCSNAME", "CNAME1", "CRDER2", "CSYER1"),
    *("EPOCH", "LONGPOLE", "IMAGEW", "IMAGEH", "WAT0_001", "WAT2_014", "CO1_13", "CO2_1", "TR1_0", "TR2_14"),
    *("PLTRAH", "PLTDECSN", "PLTDECS", "CNPIX2", "PPO6", "AMDX20", "AMDY1", "AMDREX1", "XPIXELSZ", "YPIXELSZ"),
]
KEPT = [
    *("CTYPE1A", "CRVAL2B", "CD1_1Z", "PC1_1A", "CDELT1A", "CUNIT2C", "PV1_1A", "LONPOLEA", "RADESYSA", "WCSAXESA"),
    *("WCSNAMEA", "EQUINOXB", "A_RADIUS", "B_FILTER", "DATE-OBS", "MJD-OBS", "CRDATE", "CDS", "PCOUNTS"),
    *("OBJECT", "EXPTIME", "DP1", "TELESCOP", "CROTATOR", "WAT3_001", "A_ORDERS", "AP_BLUE", "BITCAM"),
]


@pytest.mark.parametrize("word", OLD)
def test_old_description_goes(word: str) -> None:
    """Every card of the primary description is removed, and its name does not occur twice."""
    made_header = celestial.replace_celestial(cards(BEFORE=1, **{word: -7777}, AFTER=2), NEW)
    assert not [c for c in made_header if b"-7777" in c]
    assert words(made_header).count("CTYPE1") == 1


@pytest.mark.parametrize("word", KEPT)
def test_everything_else_stays(word: str) -> None:
    """Alternate descriptions and cards with similar names keep their bytes."""
    header = cards(CRVAL1=1.0, **{word: 17})
    assert header[-1] in celestial.replace_celestial(header, NEW)


def test_new_cards_stand_where_the_old_ones_stood() -> None:
    """They stand in place of the first old card, in the order of wcs.fits."""
    made_header = celestial.replace_celestial(cards(BEFORE=1, CRVAL1=1.0, BETWEEN=2, CDELT1=1.0, AFTER=3), NEW)
    here = words(made_header)
    assert here[: here.index("BEFORE") + 2][-2:] == ["BEFORE", "WCSAXES"]
    start = here.index("WCSAXES")
    assert made_header[start + 1 : start + len(NEW)] == NEW[1:]
    assert here[-2:] == ["BETWEEN", "AFTER"]


def test_new_cards_stand_before_room_reserved_at_the_end() -> None:
    """Without an old description, they follow the last card that is not blank."""
    made_header = celestial.replace_celestial([*cards(LAST=1), b" " * 80, b" " * 80], NEW)
    assert made_header[-2:] == [b" " * 80] * 2
    assert words(made_header)[5:7] == ["LAST", "WCSAXES"]


def test_new_cards_never_stand_among_the_mandatory_ones() -> None:
    """An old description before NAXIS2 does not move the new one there."""
    header = [*cards()[:4], fitsfile.card("CRVAL1", 1.0), *cards()[4:]]
    assert words(celestial.replace_celestial(header, NEW))[:6] == [*IMAGE, "WCSAXES"]


def test_continued_cards_go_with_their_head() -> None:
    """The CONTINUE cards of a removed string are removed; those of other strings are kept."""
    more = b"CONTINUE  'and more'".ljust(80)
    header = [*cards(OBJECT="long&"), more, fitsfile.card("CTYPE1", "x&"), more, fitsfile.card("AFTER", 1)]
    made_header = celestial.replace_celestial(header, NEW)
    assert words(made_header).count("CONTINUE") == 1
    assert made_header[6] == more


def test_records_of_a_lookup_table_go_with_it() -> None:
    """DP1 is part of the distortion if there is a CPDIS1; otherwise it may be anything."""
    assert "DP1" not in words(celestial.replace_celestial(cards(CPDIS1="LOOKUP", DP1="EXTVER: 1"), NEW))


def test_history_is_written_once() -> None:
    """A file that is solved twice has one HISTORY line."""
    once = celestial.replace_celestial(cards(), NEW, "solved")
    assert celestial.replace_celestial(once, NEW, "solved").count(b"HISTORY solved".ljust(80)) == 1


@pytest.mark.parametrize(
    "axis3",
    [
        {},
        {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 1.0, "CDELT3": 1e6},
        {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 1.0, "CD3_3": 1e6},
        {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 1.0, "CDELT3": 1e6, "PC1_1": 1.0, "PC3_3": 2.0},
        {"WCSAXES": 3, "CROTA2": 33.0, "CDELT1": 1.0, "CDELT2": 1.0},
    ],
)
@pytest.mark.parametrize("sip", [True, False])
def test_a_cube_keeps_its_third_axis(axis3: dict[str, fitsfile.CardValue], sip: bool) -> None:
    """astropy reads the sky of a cube without a warning, and the third axis keeps its scale."""
    from astropy.io import fits
    from astropy.wcs import WCS

    new = header_cards(made.solution_of(made.wcs_fits(sip=sip)))
    header = celestial.replace_celestial(cards(NAXIS=3, NAXIS3=8, **axis3), new)
    seen = fits.Header.fromstring(b"".join(header))
    sky = WCS(seen, naxis=2).celestial.all_pix2world(10, 20, 1)
    wanted = WCS(fits.Header.fromstring(b"".join([*cards(), *new]))).all_pix2world(10, 20, 1)
    assert [float(v) for v in sky] == [float(v) for v in wanted]
    if not sip:
        whole = WCS(seen)
        step = float(axis3.get("CDELT3", axis3.get("CD3_3", 1.0))) * float(axis3.get("PC3_3", 1.0))
        assert whole.celestial.naxis == 2
        assert whole.pixel_scale_matrix[2, 2] == pytest.approx(step)


@pytest.mark.parametrize("claim", [10**9, "x", True, 1.5, -3])
def test_an_absurd_number_of_axes_is_not_followed(claim: fitsfile.CardValue) -> None:
    """WCSAXES = 1e9 is ignored."""
    assert fitsfile.card("WCSAXES", 2) in celestial.replace_celestial(cards(WCSAXES=claim, NAXIS9=claim), NEW)


_texts = st.text(string.ascii_letters + string.digits + " .+-/'()", max_size=60)
_plain = st.builds(
    lambda key, text: f"{key:<8}= {text}",
    st.from_regex(r"[A-Z0-9_-]{1,8}", fullmatch=True).filter(
        lambda key: not celestial._is_primary(key, frozenset({3}), has_tables=True)
    ),
    _texts,
)
_other = st.builds(
    lambda head, text: f"{head}{text}",
    st.sampled_from(["COMMENT ", "HISTORY ", "HIERARCH ESO DET CHIP1 ", "        ", "CONTINUE  '", "lower   = "]),
    _texts,
)
_mandatory = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "END", "CONTINUE", "NAXIS1", "ZNAXIS"}
_unrelated = st.one_of(_plain, _other).filter(lambda line: line[:8].strip() not in _mandatory - {"CONTINUE"})
_old = st.sampled_from([fitsfile.card(word, 17).decode() for word in OLD if word != "WCSAXES"])


@given(st.lists(st.tuples(st.booleans(), _unrelated, _old), max_size=40))
def test_unrelated_cards_survive_in_order(drawn: list[tuple[bool, str, str]]) -> None:
    """Among the cards of any old description, every other card keeps its bytes and the order."""
    header, unrelated, after_old = cards(), cards(), False
    for is_old, line, old in drawn:
        card = (old if is_old else line)[:80].ljust(80).encode()
        header.append(card)
        after_old = is_old or (after_old and fitscards.keyword(card) == "CONTINUE")
        if not after_old:
            unrelated.append(card)
    made_header = celestial.replace_celestial(header, NEW)
    start = words(made_header).index("WCSAXES")
    assert [*made_header[:start], *made_header[start + len(NEW) :]] == unrelated
    assert all(len(card) == 80 for card in made_header)


def test_the_new_cards_read_the_same_as_the_engine_s() -> None:
    """The cards are complete: astropy reads the same sky."""
    from astropy.io import fits
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = WCS(fits.Header.fromstring(made.wcs_fits()))
    copied = WCS(fits.Header.fromstring(b"".join([*cards(), *NEW])))
    assert (copied.all_pix2world([[1, 1], [719, 507]], 1) == whole.all_pix2world([[1, 1], [719, 507]], 1)).all()


def test_split_stops_at_end() -> None:
    """Cards behind END are left out."""
    content = fitsfile.end_header(cards())
    assert fitscards.split(content) == cards()
    assert fitsfile.read_header(io.BytesIO(content)).size == len(content)
