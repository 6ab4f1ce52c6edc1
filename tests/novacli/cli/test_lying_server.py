"""A server that lies: nothing that it wrote reaches an image or an exported file, and a false result is refused.

The archive, the manifest and the FITS structure of each reply are valid; only its content is a lie.
"""

from __future__ import annotations

import io
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from made_lines import read_lines
from made_results import RDLS_COLUMNS, corr_fits, table_fits, wcs_fits
from made_servers import HEIGHT, MATCHED, STARS, WIDTH, Servers, solved_files, write_star_list

from novacli.solution.reading import read_solution
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile, jobdir
from solvehost.wire import JobLine

HONEST = wcs_fits(WIDTH, HEIGHT)
#: Stands in every text of a lie; the exclamation mark is in none of nova's own cards.
MARKER = b"LIAR!"
EXPORTS = ("wcs", "corr", "rdls", "new-fits")


def wcs_with(*cards: bytes, first: bool = False) -> bytes:
    """Return the honest wcs.fits with further cards after all others, or after SIMPLE and BITPIX."""
    end = HONEST.index(b"END     ")
    at = 160 if first else end
    return fitsfile.end_header([HONEST[:at], *(card.ljust(80) for card in cards), HONEST[at:end]])


LIES: dict[str, bytes] = {
    "another reference point": wcs_with(b"CRVAL1  = 10.0 / LIAR!", b"CRVAL2  = -10.0 / LIAR!"),
    "a turned pole": HONEST.replace(b"LONPOLE =                180.0", b"LONPOLE =                 90.0"),
    "NUL and ESC": HONEST.replace(b"CUNIT1  = 'deg     '               ", b"CUNIT1  = 'deg     ' /\0\x1b[2JLIAR!   "),
    "PV": wcs_with(b"PV1_1   =                  3.0 / LIAR!", b"PV2_1   =                  LIAR!"),
    "CPDIS": wcs_with(b"CPDIS1  = 'LOOKUP'  / LIAR!", b"DP1     = 'EXTVER: 1'", b"DP1.AXIS.1=LIAR!", b"CPERR1  = 9.0"),
    "a plate model": wcs_with(b"PLTRAH  =                    1 / LIAR!", b"CNPIX1  =                    7"),
    "an alternate description": wcs_with(b"CTYPE1A = 'LIAR!'", b"WCSNAMEA= 'LIAR!'"),
    "130,000 cards": wcs_with(*[b"P%06d =                  7.0 / LIAR!" % n for n in range(130_000)]),
    "texts": wcs_with(b"HISTORY LIAR!", b"COMMENT LIAR!", b"HISTORY Fitted again by nova: LIAR!, 9 stars"),
    "an index file": wcs_fits(WIDTH, HEIGHT, comments=("Index(0):", "  /x/LIAR!.fits", "log odds: 50")),
}  # fmt: skip


@pytest.fixture
def image(home: Path) -> Path:
    """A FITS image of 40 stars."""
    y, x = np.mgrid[1 : HEIGHT + 1, 1 : WIDTH + 1]
    sky = np.random.default_rng(1).normal(100, 2, (HEIGHT, WIDTH))
    for n, (at_x, at_y) in enumerate(STARS):
        sky += (3000 - 50 * n) * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 4)
    path = home / "field.fits"
    fits.writeto(path, sky.astype("f4"))
    return path


@pytest.fixture
def submit(nova: Any, home: Path, jobs: Path) -> Callable[..., Any]:
    """Return a function that submits the star list to solve1."""
    path = write_star_list(home / "stars.csv")
    return lambda *more: nova("submit", str(path), "--size", f"{WIDTH}x{HEIGHT}", "--to", "solve1", "--json", *more)


def assert_refused(ran: Any, jobs: Path, says: str) -> None:
    (line,) = read_lines(ran.out)
    assert (ran.code, line["status"], line["error"]["exit_code"]) == (74, "failed", 74)
    assert "solve1: what it sent back cannot be used: " in line["error"]["message"]
    assert says in line["error"]["message"]
    (job,) = jobdir.list_jobs(jobs)
    assert not {"wcs.fits", "corr.fits", "rdls.fits"} & {path.name for path in job.path.iterdir()}


def assert_own(path: Path, reported: TanSip) -> None:
    """Check that a file has no text of the server, and maps pixels as the solution that was reported."""
    content = path.read_bytes()
    header = content[: fitsfile.read_header(io.BytesIO(content)).size]
    assert MARKER not in content
    assert header.isascii()
    assert header.decode().isprintable()
    seen = fits.Header.fromstring(header)
    described = [key for key in seen if key]
    assert len({*described} - {"HISTORY", "COMMENT"}) == len([k for k in described if k not in ("HISTORY", "COMMENT")])
    seen["NAXIS"] = 2
    sky = WCS(seen)
    for x in np.linspace(1, WIDTH, 4):
        for y in np.linspace(1, HEIGHT, 4):
            ra, dec = (float(v) for v in sky.all_pix2world(x, y, 1))
            wanted = reported.pixel_to_sky(x, y)
            assert abs((ra - wanted[0] + 180) % 360 - 180) * 3600 * np.cos(np.radians(dec)) < 1e-6
            assert abs(dec - wanted[1]) * 3600 < 1e-6


@pytest.mark.parametrize("name", LIES)
def test_no_card_of_a_server_reaches_a_file(
    nova: Any, home: Path, jobs: Path, servers: Servers, image: Path, name: str
) -> None:
    """What is written into the image, a copy of it, and the exported files equals the solution that is reported."""
    servers.replies("solve1", {**solved_files(), "wcs.fits": LIES[name], "corr.fits": MATCHED})
    exports = [word for kind in ("wcs", "new-fits") for word in (f"--{kind}", str(home / f"out.{kind}"))]
    before = resource.getrusage(resource.RUSAGE_SELF)
    ran = nova("submit", str(image), "--to", "solve1", "--update", "--json", *exports)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert (ran.code, ran.err) == (0, "")
    assert after.ru_maxrss - before.ru_maxrss < 400_000
    (line,) = read_lines(ran.out)
    (job,) = jobdir.list_jobs(jobs)
    reported = read_solution(job.path, is_fits_like=True)
    assert line["calibration"]["ra"] == pytest.approx(reported.calibration.ra)
    assert line["calibration"]["ra"] == pytest.approx(187.1945, abs=1e-3)
    for path in (image, home / "out.new-fits", home / "out.wcs", job.wcs):
        assert path.stat().st_size < 2**21
        assert_own(path, reported.tan_sip)


def test_texts_of_a_server_s_tables_are_left_out(submit, servers: Servers, jobs: Path, home: Path) -> None:
    """Column names that are no plain words, text columns, further HDUs and what follows the data."""
    extra = {"TTYPE5": "LIAR!", "OBJECT": "LIAR!"}
    rdls = table_fits({**RDLS_COLUMNS, "more": "J"}, [(9.0, 190.0, 55.0, 7)], TTYPE4="LIAR!", TFORM4="4A")
    files = {**solved_files(), "rdls.fits": rdls + MARKER.ljust(2880)}
    files["corr.fits"] = corr_fits(HONEST, STARS[:5], **extra) + fitsfile.end_header([b"XTENSION= 'LIAR!'".ljust(80)])
    servers.replies("solve1", files)
    ran = submit("--corr", str(home / "c"), "--rdls", str(home / "r"))
    if ran.code == 0:
        for name in "cr":
            assert MARKER not in (home / name).read_bytes()
        assert set(fits.getdata(home / "r").names) == {"MAG_VT", "RA", "DEC"}
        assert len(fits.getdata(home / "c")) == 5


@pytest.mark.parametrize("name", ["corr.fits", "rdls.fits"])
def test_a_table_of_very_many_rows_is_refused_before_it_is_read(
    submit, servers: Servers, jobs: Path, name: str
) -> None:
    columns = (
        {"field_x": "E", "field_y": "E", "index_ra": "E", "index_dec": "E"} if name == "corr.fits" else RDLS_COLUMNS
    )
    row = 16 if name == "corr.fits" else 20
    table = table_fits(columns, [], NAXIS2=800_000) + bytes(800_000 * row + -800_000 * row % 2880)
    servers.replies("solve1", {**solved_files(), name: table})
    ran = submit("--timeout", "20")
    assert_refused(ran, jobs, f"{name}: its table has 800,000 rows")


def test_paths_that_a_server_names_are_not_opened(
    submit, servers: Servers, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of index files with names of their own, nova would open the headers."""
    secrets = [home / "one.fits", home / "two.fits"]
    for n, path in enumerate(secrets):
        path.write_bytes(wcs_fits(INDEXID=7 + n))
    comments = [text for path in secrets for text in ("Index(0):", *_broken(str(path)))]
    wcs = wcs_fits(WIDTH, HEIGHT, comments=(*comments, "index id: 8", "log odds: 50"))
    servers.replies("solve1", {**solved_files(), "wcs.fits": wcs})
    opened: list[Path] = []
    real = Path.open

    def watched(self: Path, *more: Any, **options: Any) -> Any:
        opened.append(self)
        return real(self, *more, **options)

    monkeypatch.setattr(Path, "open", watched)
    (line,) = read_lines(submit().out)
    assert not {*secrets} & {*opened}
    assert line["match"]["index"] == "index 8"


def _broken(path: str) -> list[str]:
    return [f"  {path[at : at + 58]}" for at in range(0, len(path), 58)]


def moved(stars: list[tuple[float, float]], by: float) -> list[tuple[float, float]]:
    return [(x + by, y + by) for x, y in stars]


ELSEWHERE = wcs_fits(WIDTH, HEIGHT, CRVAL1=10.0, CRVAL2=-40.0)
FALSE_RESULTS: dict[str, tuple[dict[str, bytes], str]] = {
    "the solution of another picture": (
        {"wcs.fits": ELSEWHERE, "corr.fits": corr_fits(ELSEWHERE, moved(STARS, 7.3))},
        "corr.fits: it matches a star at",
    ),
    "no matched stars": ({"wcs.fits": HONEST}, "corr.fits is missing"),
    "three matched stars": ({"wcs.fits": HONEST, "corr.fits": corr_fits(HONEST, STARS[:3])}, "corr.fits: it matches 3"),
    "one star five times": (
        {"wcs.fits": HONEST, "corr.fits": corr_fits(HONEST, STARS[:1] * 5)},
        "corr.fits: it matches 1",
    ),
    "more matches than stars": (
        {"wcs.fits": HONEST, "corr.fits": corr_fits(HONEST, STARS * 2)},
        "corr.fits: its table has 80 rows",
    ),
    "a solution that its matches contradict": (
        {"wcs.fits": ELSEWHERE, "corr.fits": corr_fits(HONEST, STARS[:8])},
        "corr.fits: its stars are",
    ),
    "a distortion larger than the image": (
        {"wcs.fits": wcs_fits(WIDTH, HEIGHT, A_2_0=0.02), "corr.fits": corr_fits(HONEST, STARS[:8])},
        "wcs.fits: its distortion moves",
    ),
    "an inverse distortion larger than the image": (
        {"wcs.fits": wcs_fits(WIDTH, HEIGHT, BP_0_2=-0.05), "corr.fits": corr_fits(HONEST, STARS[:8])},
        "wcs.fits: its distortion moves",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE_RESULTS)
def test_a_false_result_is_refused(submit, servers: Servers, jobs: Path, name: str) -> None:
    files, says = FALSE_RESULTS[name]
    servers.replies("solve1", {"backend.log": b"", **files})
    assert_refused(submit(), jobs, says)


@pytest.mark.parametrize("verb", ["cancel", "rm"])
def test_an_answer_about_another_job_is_not_believed(
    nova: Any, servers: Servers, jobs: Path, home: Path, verb: str
) -> None:
    from novacli.backends.ssh.command import Ssh
    from novacli.backends.ssh.destinations import SshHost
    from novacli.backends.ssh.server import Server
    from novacli.config import load
    from novacli.errors import TransferError
    from novacli.records.budget import Budget

    line = JobLine("j-2", "interrupted")
    servers.has("solve1", line)
    servers.add("solve1", **{verb: "cat jobs.json"})
    server = Server(SshHost("solve1", "solve1"), Ssh.of(load()))
    with pytest.raises(TransferError, match="solve1: it answered for another job: do not trust it"):
        getattr(server, verb)("j-1", Budget.of_seconds(60))
    assert getattr(server, verb)("j-2", Budget.of_seconds(60)) == line


def test_the_log_of_an_engine_is_not_quoted_as_the_reason_of_ssh(submit, servers: Servers) -> None:
    servers.add("solve1", solve="cat > /dev/null; echo 'cannot read index: Permission denied' >&2; exit 255")
    ran = submit()
    assert "ssh failed without a reason; the last line on stderr was" in ran.err
    assert "have your public key added" not in ran.err
