"""Index files: which are whole, where a configuration says they are, and which serve a field."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standin import make_attempt, make_index

from solvehost.errors import ConfigError, DataError
from solvehost.formats.axy import Attempt, Range, Schedule
from solvehost.formats.fitsfile import card, end_header, pad_data
from solvehost.formats.star_table import Stars
from solvehost.indexes import index_set
from solvehost.indexes.index_set import (
    IndexFile,
    IndexSet,
    overlaps,
    places_of_config,
    quad_range_arcmin,
    read_index,
    scan,
    select,
)

ARCMIN = math.radians(1 / 60)


def write_index(path: Path, *, low: float = 60.0, high: float = 85.0, **changes: object) -> Path:
    """Write what looks like an index file; ``changes`` replace cards, None leaves one out."""
    values = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "INDEXID": 4110, "HEALPIX": -1, "HPNSIDE": 0,
              "SCALE_L": low * ARCMIN, "SCALE_U": high * ARCMIN, "NSTARS": 100, "NQUADS": 200, **changes}  # fmt: skip
    primary = end_header([card(k, v) for k, v in values.items() if v is not None])  # type: ignore[arg-type]
    table = end_header([card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", 5000)]) + pad_data(b"q" * 5000)
    path.write_bytes(primary + table)
    return path


# --- Reading ------------------------------------------------------------------------------------------------------


@pytest.mark.engine
def test_real_index_files_are_read(real_indexes: IndexSet) -> None:
    """Ids, whole-sky healpix, and scale ranges that touch, coarsest last."""
    assert not real_indexes.damaged
    for file in real_indexes.files:
        assert file.path.is_absolute()
        assert file.stars > 0
        assert file.quads > 0
        assert file.size_bytes == file.path.stat().st_size
        assert 0 < file.quads_arcmin.low < file.middle_arcmin < file.quads_arcmin.high
    middles = [f.middle_arcmin for f in real_indexes.files]
    assert middles == sorted(middles)


def test_the_header_is_understood(tmp_path: Path) -> None:
    path = write_index(tmp_path / "index-a.fits")
    file = read_index(path)
    assert (file.index_id, file.healpix, file.nside, file.stars, file.quads) == (4110, -1, 0, 100, 200)
    assert file.quads_arcmin == pytest.approx((60, 85))
    assert file.size_bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("index-cut.fits", lambda data: data[:-2880], "cut short"),
        ("index-half.fits", lambda data: data[: len(data) // 2], "cut short"),
        ("index-text.fits", lambda data: b"this is no index", "ends before its END card"),
        ("index-empty.fits", lambda data: b"", "empty"),
    ],
)
def test_a_damaged_file_is_named_and_left_out(tmp_path: Path, name: str, content, reason: str) -> None:
    good = write_index(tmp_path / "index-good.fits")
    bad = tmp_path / name
    bad.write_bytes(content(good.read_bytes()))
    found = scan([tmp_path])
    assert [f.path for f in found.files] == [good]
    ((path, why),) = found.damaged
    assert path == bad
    assert reason in why


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"INDEXID": None}, "no INDEXID"),
        ({"INDEXID": "x"}, "INDEXID is 'x'"),
        ({"SCALE_L": None}, "cannot be understood"),
        ({"SCALE_U": "wide"}, "cannot be understood"),
        ({"SCALE_L": -1.0}, "makes no sense"),
        ({"SCALE_L": 0.0}, "makes no sense"),
        ({"SCALE_L": 2.0, "SCALE_U": 1.0}, "makes no sense"),
        ({"HEALPIX": "x"}, "HEALPIX is 'x'"),
    ],
)
def test_a_header_that_makes_no_sense_is_named(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    write_index(tmp_path / "index-odd.fits", **changes)  # type: ignore[arg-type]
    found = scan([tmp_path])
    assert not found.files
    assert reason in found.damaged[0][1]


def test_a_directory_holds_other_things_too(tmp_path: Path) -> None:
    """FITS files that are no index, hidden ones and texts are passed over; one that is named is not."""
    (tmp_path / "README").write_text("hello")
    image = tmp_path / "image.fits"
    image.write_bytes(end_header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0)]))
    (tmp_path / ".index-hidden.fits").write_bytes(b"")
    assert scan([tmp_path]) == IndexSet((), (), (tmp_path,))
    assert scan([image]).damaged == ((image, "it is no index file (its header has no INDEXID)"),)


def test_pipes_directories_and_nothing_are_no_index(tmp_path: Path) -> None:
    """A pipe is not waited for."""
    os.mkfifo(tmp_path / "index-pipe.fits")
    (tmp_path / "index-dir.fits").mkdir()
    missing = tmp_path / "index-none.fits"
    found = scan([tmp_path, missing])
    assert not found.files
    assert {path.name for path, _ in found.damaged} == {"index-pipe.fits", "index-dir.fits", "index-none.fits"}
    with pytest.raises(DataError, match="missing, or no regular file"):
        read_index(missing)


def test_a_directory_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert scan([tmp_path]).damaged == ((tmp_path, "Permission denied"),)


def test_a_file_found_twice_counts_once(tmp_path: Path) -> None:
    path = write_index(tmp_path / "index-a.fits")
    (tmp_path / "index-link.fits").symlink_to(path)
    assert len(scan([tmp_path, path, tmp_path]).files) == 1


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine runs in another directory."""
    path = write_index(tmp_path / "index-a.fits")
    monkeypatch.chdir(tmp_path)
    assert [f.path for f in scan([Path()]).files] == [path]
    assert [f.path for f in scan([Path("index-a.fits")]).files] == [path]


def test_a_path_that_the_configuration_cannot_hold_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    write_index(folder / "index-a.fits")
    found = scan([folder])
    assert not found.files
    assert "line break" in found.damaged[0][1]


def test_the_range_of_all_files(tmp_path: Path) -> None:
    assert IndexSet(()).quads_arcmin is None
    files = (make_index("a", 10, 20), make_index("b", 5, 8), make_index("c", 30, 40))
    assert IndexSet(files).quads_arcmin == (5, 40)


# --- The engine's configuration -----------------------------------------------------------------------------------


def write_config(folder: Path, text: str) -> Path:
    path = folder / "engine.cfg"
    path.write_text(text)
    return path


def test_autoindex_names_directories(tmp_path: Path) -> None:
    """Comments and other settings are passed over; a path may have blanks in it."""
    config = write_config(tmp_path, "# add_path /not\ninparallel\n  add_path /a b/c  \n\nadd_path /d\nautoindex\n")
    assert places_of_config(config) == (Path("/a b/c"), Path("/d"))


def test_named_index_files_are_looked_for_on_the_paths(tmp_path: Path) -> None:
    """With or without their extension, in the first directory that has them; absolute names stand."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (two / "index-b.fits").touch()
    (two / "index-a").touch()
    text = f"add_path {one}\nadd_path {two}\nindex index-a\nindex index-b\nindex /x/index-c.fits\nindex index-none\n"
    assert places_of_config(write_config(tmp_path, text)) == (
        two / "index-a",
        two / "index-b.fits",
        Path("/x/index-c.fits"),
        one / "index-none",
    )


def test_autoindex_and_names_together(tmp_path: Path) -> None:
    (tmp_path / "index-a.fits").touch()
    config = write_config(tmp_path, f"add_path {tmp_path}\nindex index-a\nautoindex\n")
    assert places_of_config(config) == (tmp_path, tmp_path / "index-a.fits")


def test_an_odd_configuration_names_nothing(tmp_path: Path) -> None:
    assert places_of_config(write_config(tmp_path, "")) == ()
    assert places_of_config(write_config(tmp_path, "add_path\nindex\n#autoindex\n")) == ()


def test_bytes_of_another_encoding_are_no_error(tmp_path: Path) -> None:
    config = tmp_path / "engine.cfg"
    config.write_bytes(b"# caf\xe9\nadd_path /a\n")
    assert places_of_config(config) == (Path("/a"),)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.cfg: No such file .* cannot be read"):
        places_of_config(tmp_path / "none.cfg")


def test_a_configuration_beside_the_engine_comes_first() -> None:
    assert index_set.config_candidates(Path("/opt/x/bin/astrometry-engine"))[0] == Path("/opt/x/etc/astrometry.cfg")
    assert Path("/etc/astrometry.cfg") in index_set.config_candidates(None)


# --- Which files serve a field ------------------------------------------------------------------------------------

SERIES = tuple(make_index(f"index-{n}", 2.0 * 1.4**n, 2.0 * 1.4 ** (n + 1)) for n in range(20))


def chosen(scales: tuple[Range, ...] = (), width: int = 1000, height: int = 800, **schedule: object) -> list[IndexFile]:
    attempt = Attempt(width, height, Stars.empty(), scales_arcsec_per_pixel=scales, schedule=Schedule(**schedule))  # type: ignore[arg-type]
    return list(select(attempt, SERIES))


scales = st.tuples(st.floats(0.05, 500), st.floats(1, 3)).map(lambda pair: Range(pair[0], pair[0] * pair[1]))


@given(scales, st.integers(50, 20_000), st.integers(50, 20_000))
def test_files_are_those_whose_quads_fit_into_the_field(scale: Range, width: int, height: int) -> None:
    """As the engine reckons: from a tenth of the smaller side at the lower scale to the diagonal at the upper."""
    shortest, longest = 0.1 * min(width, height) * scale.low / 60, math.hypot(width, height) * scale.high / 60
    expected = [f for f in SERIES if f.quads_arcmin.low <= longest and f.quads_arcmin.high >= shortest]
    assert chosen((scale,), width, height) == expected[::-1]


@given(st.lists(scales, min_size=1, max_size=4))
def test_several_scales_serve_all_that_each_would(several: list[Range]) -> None:
    assert set(chosen(tuple(several))) >= {f for scale in several for f in chosen((scale,))}


@given(st.lists(st.floats(1, 2000), min_size=1, max_size=6, unique=True), st.none() | scales)
def test_windows_that_touch_share_the_files_out(bounds: list[float], scale: Range | None) -> None:
    """Every file that fits the field is in exactly one of them."""
    told = (scale,) if scale else ()
    edges = [0.0, *sorted(bounds), 1e5]
    parts = [chosen(told, quads_arcmin=Range(*pair)) for pair in itertools.pairwise(edges)]
    together = [f for part in parts for f in part]
    assert len(together) == len(set(together))
    assert set(together) == set(chosen(told))


def test_the_order_is_as_asked_for() -> None:
    coarse, fine = chosen(coarse_first=True), chosen(coarse_first=False)
    assert fine == coarse[::-1]
    assert [f.middle_arcmin for f in fine] == sorted(f.middle_arcmin for f in fine)


def test_without_a_scale_any_field_is_thought_of() -> None:
    """From 0.1 to 180 degrees, as the engine does."""
    fits = quad_range_arcmin(1000, 800, None)
    assert fits == pytest.approx((0.1 * 0.8 * 0.1 * 60, 180 * 60 * math.hypot(1, 0.8)))
    assert len(chosen()) == len([f for f in SERIES if overlaps(f.quads_arcmin, fits)]) > 15


def test_a_quad_fraction_narrows_the_choice() -> None:
    attempt = make_attempt()
    narrow = select(
        Attempt(1000, 800, attempt.stars, scales_arcsec_per_pixel=(Range(10, 10),), quad_fraction=Range(0.5, 0.6)),
        SERIES,
    )
    assert set(narrow) < set(chosen((Range(10, 10),)))


def test_nothing_fits_a_field_too_small() -> None:
    assert chosen((Range(0.01, 0.02),)) == []
