"""``nova index``: its commands in a home without any setting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_mirror
import numpy as np
import pytest
from astropy.io import fits
from made_indexes import make_whole_index
from made_mirror import Mirror
from made_sky import DrawnField

from novacli.indexes.inspection import inspect
from novacli.rigs.store import RigStore
from solvehost.formats import fitsfile
from solvehost.indexes import index_set

Nova = Callable[..., Any]


@pytest.fixture
def folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of index files, with two of them."""
    path = home / "indexes"
    monkeypatch.setenv("NOVA_INDEX", str(path))
    make_whole_index(path / "index-4119.fits")
    make_whole_index(
        path / "index-5206-07.fits", index_id=5206, low_arcmin=16, high_arcmin=22, healpix=7, nside=2, stars=9
    )
    return path


def test_list_has_a_line_for_each_scale(nova: Nova, folder: Path) -> None:
    lines = nova("index", "list").out.splitlines()
    assert lines[0].split() == ["SERIES", "SCALE", "QUADS", "SKY", "FILES", "SIZE", "FOLDER"]
    assert lines[1].split()[:2] + lines[1].split()[5:9] == ["5200", "06", "1", "of", "48", "tiles"]
    assert lines[2].split()[:2] + lines[2].split()[5:6] == ["4100", "19", "whole"]


def test_list_names_damaged_files(nova: Nova, folder: Path) -> None:
    (folder / "index-4118.fits").write_text("<html>")
    assert f"damaged: {folder}/index-4118.fits: it is a web page" in nova("index", "list").out
    *_, damaged = map(json.loads, nova("index", "list", "--json").out.splitlines())
    assert (damaged["problem"], damaged["index_id"]) == ("it is a web page in place of an index file", None)


def test_list_says_where_it_looked_if_there_are_none(nova: Nova, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_INDEX", str(home))
    ran = nova("index", "list")
    assert (ran.code, ran.out) == (0, "")
    assert f"there are no index files: {home}: see nova index recommend" in ran.err


def test_verify_names_each_file_and_fails_for_damaged_ones(nova: Nova, folder: Path) -> None:
    ran = nova("index", "verify")
    assert ran.code == 0
    assert ran.out.count(": whole\n") == 2
    cut = folder / "index-4119.fits"
    cut.write_bytes(cut.read_bytes()[:-2880])
    ran = nova("index", "verify")
    assert ran.code == 65
    assert f"{cut}: DAMAGED: " in ran.out
    assert nova("index", "verify", str(folder / "index-5206-07.fits")).code == 0
    (printed,) = map(json.loads, nova("index", "verify", "--json", str(cut)).out.splitlines())
    assert (printed["file"], printed["ok"], printed["checksums"]) == (str(cut), False, [])


def test_verify_of_what_is_not_there_says_so(nova: Nova, folder: Path) -> None:
    assert nova("index", "verify", str(folder / "none")).code == 66
    (folder / "empty").mkdir()
    ran = nova("index", "verify", str(folder / "empty"))
    assert (ran.code, "there are no index files in" in ran.err) == (66, True)


def test_recommend_prints_grades_sizes_and_commands(nova: Nova, folder: Path) -> None:
    out = nova("index", "recommend", "--fov", "30arcmin").out
    assert out.startswith("For a field of 30′ × 30′:\nNeeded:\n")
    assert "To get what is needed: apt install astrometry-data-tycho2-07 (Debian, Ubuntu)\n" in out
    assert "To get what is needed: nova index get 5200 --scales 05,06 (923 MB)\n" in out
    assert "Rarely needed:\n" in out


def test_recommend_marks_what_is_installed(nova: Nova, folder: Path) -> None:
    """A tile alone is not the sky."""
    objects = list(map(json.loads, nova("index", "recommend", "--fov", "40deg", "--json").out.splitlines()))
    assert {o["scale"]: o["installed"] for o in objects if o["grade"] == "needed"} == {19: True, 18: False, 17: False}
    objects = list(map(json.loads, nova("index", "recommend", "--fov", "0.5", "--json").out.splitlines()))
    assert [o["installed"] for o in objects if o["scale"] == 6] == [False]


def test_recommend_takes_the_scale_of_a_header(nova: Nova, folder: Path, home: Path) -> None:
    header = fits.Header([("FOCALLEN", 1000.0), ("XPIXSZ", 14.5444), ("YPIXSZ", 14.5444)])
    fits.writeto(home / "img.fits", np.ones((1800, 3600), np.uint8), header)
    assert "For a field of 3° × 1.5°:" in nova("index", "recommend", str(home / "img.fits")).out
    fits.writeto(home / "bare.fits", np.ones((18, 36), np.uint8))
    ran = nova("index", "recommend", str(home / "bare.fits"))
    assert (ran.code, "its header has no scale: give the size of the field by --fov" in ran.err) == (2, True)


def test_recommend_takes_the_scale_of_a_camera(nova: Nova, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from novacli.records.parity import Parity
    from novacli.rigs.store import Rig

    rig = Rig("abc123", "Canon", 3600, 1800, 2.0, Parity(1), 3, 1.0, 2.0, 5.0)
    monkeypatch.setattr(RigStore, "all", lambda _self: [rig])
    for name in ("abc", "last"):
        assert "For a field of 2° × 1°:" in nova("index", "recommend", "--rig", name).out
    assert nova("index", "recommend", "--rig", "x").code == 66


@pytest.mark.parametrize("arguments", [(), ("--fov", "1", "--rig", "last"), ("a.fits", "--fov", "1")])
def test_recommend_wants_one_size(arguments: tuple[str, ...], nova: Nova, folder: Path) -> None:
    ran = nova("index", "recommend", *arguments)
    assert (ran.code, "by one of --fov, an image and --rig" in ran.err) == (2, True)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """A server that has the files of series 4100, scales 18 and 19."""
    made = {n: make_whole_index(tmp_path / "made" / f"index-{4100 + n}.fits", index_id=4100 + n,
                                low_arcmin={18: 1000, 19: 1400}[n], high_arcmin=2000) for n in (18, 19)}  # fmt: skip
    with made_mirror.serving({path.name: path.read_bytes() for path in made.values()}) as running:
        yield running


def test_get_puts_files_where_nova_searches(
    nova: Nova, home: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any setting; a second call finds nothing to do."""
    monkeypatch.setenv("NOVA_ENGINE_CONFIG", str(home / "engine.cfg"))
    (home / "engine.cfg").write_text("autoindex\n")
    ran = nova("index", "get", "4100", "--scales", "18,19", "--url", mirror.url)
    folder = home / ".local" / "share" / "nova" / "index"
    assert (ran.code, ran.err) == (0, "")
    assert {line.split(": ")[0] for line in ran.out.splitlines()} == {
        str(folder / f"index-41{n}.fits") for n in (18, 19)
    }
    assert sorted(p.name for p in folder.iterdir()) == ["SHA256SUMS", "index-4118.fits", "index-4119.fits"]
    listed = [json.loads(line)["file"] for line in nova("index", "list", "--json").out.splitlines()]
    assert str(folder / "index-4119.fits") in listed
    ran = nova("index", "get", "4100", "--scales", "18,19", "--url", mirror.url)
    assert (ran.code, "0 files of 2 to download" in ran.err) == (0, True)
    assert len(mirror.ranges) == 2
    assert nova("index", "verify", str(folder)).code == 0


def test_get_into_another_folder_says_how_to_use_it(nova: Nova, home: Path, mirror: Mirror) -> None:
    ran = nova("index", "get", "4100", "--scales", "19", "--url", mirror.url, "--dir", str(home / "x"))
    assert ran.code == 0
    assert f"{home / 'x'} is not searched by itself: give --index {home / 'x'}, or set index" in ran.err


def test_get_names_scales_that_other_files_have_already(
    nova: Nova, home: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another series, such as Debian's; not those that it downloaded itself."""
    monkeypatch.setenv("NOVA_ENGINE_CONFIG", str(home / "engine.cfg"))
    (home / "engine.cfg").write_text(f"add_path {home / 'debian'}\n")
    make_whole_index(home / "debian" / "index-tycho2-19.littleendian.fits")
    call = ("index", "get", "4100", "--url", mirror.url, "--scales")
    assert "have the quads of scale 19 already" in nova(*call, "18,19").err
    (home / "debian" / "index-tycho2-19.littleendian.fits").unlink()
    assert nova(*call, "17").err.count("already") == 0


def test_get_reports_files_that_fail_and_gets_the_others(nova: Nova, home: Path, mirror: Mirror) -> None:
    ran = nova("index", "get", "4100", "--scales", "17-19", "--url", mirror.url)
    assert ran.code == 66
    assert "index-4117.fits is not there (HTTP 404)" in ran.err
    assert len(ran.out.splitlines()) == 2


def test_get_dry_run_downloads_nothing(nova: Nova, home: Path, mirror: Mirror) -> None:
    ran = nova("index", "get", "5200", "--scales", "6", "--near", "83.6,-5.4", "--radius", "1", "--dry-run")
    names = [line.split()[0] for line in ran.out.splitlines()]
    assert 1 <= len(names) <= 8
    assert all(name.startswith("index-5206-") for name in names)
    assert mirror.ranges == []


def test_get_replaces_a_damaged_file_only_if_it_may(nova: Nova, home: Path, mirror: Mirror) -> None:
    folder = home / "x"
    folder.mkdir()
    (folder / "index-4119.fits").write_text("mine")
    call = ("index", "get", "4100", "--scales", "19", "--url", mirror.url, "--dir", str(folder))
    ran = nova(*call)
    assert (ran.code, "is there, but is no whole index file" in ran.err) == (73, True)
    assert (folder / "index-4119.fits").read_text() == "mine"
    assert nova(*call, "--overwrite").code == 0
    assert (folder / "index-4119.fits").read_bytes() == mirror.files["index-4119.fits"]


@pytest.mark.parametrize(("arguments", "words"), [
    (("5200",), "all scales of series 5200 take 36.1 GB: name those that you need by --scales"),
    (("4100", "--scales", "5"), "series 4100 has no scale 5"),
    (("4100", "--scales", "x"), "are not understood"),
    (("4100", "--near", "83.6"), "give --near RA,DEC"),
    (("4100", "--radius", "3"), "--radius needs --near"),
    (("9900",), "is not one of"),
])  # fmt: skip
def test_get_refuses_what_it_does_not_understand(
    arguments: tuple[str, ...], words: str, nova: Nova, home: Path
) -> None:
    ran = nova("index", "get", *arguments)
    assert (ran.code, words in ran.err) == (2, True), ran.err


def test_get_ended_by_ctrl_c_says_how_to_go_on(nova: Nova, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("novacli.indexes.download.fetch", interrupted)
    ran = nova("index", "get", "4100", "--scales", "19")
    assert (ran.code, "the same call goes on where this one stopped" in ran.err) == (130, True)


def test_build_makes_a_file_for_each_scale(nova: Nova, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the builder beside the engine; existing files are replaced only with --overwrite."""
    made = make_whole_index(home / "made.fits", index_id=9918)
    (home / "bin").mkdir()
    for name, script in (("astrometry-engine", ":"), ("build-astrometry-index", f"cp {made} made.fits")):
        (home / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (home / "bin" / name).chmod(0o755)
    monkeypatch.setenv("NOVA_ENGINE", str(home / "bin" / "astrometry-engine"))
    columns = [fits.Column(name, "D", array=np.arange(3.0)) for name in ("RA", "DEC", "MAG")]
    fits.BinTableHDU.from_columns(columns).writeto(home / "cat.fits")
    call = ("index", "build", str(home / "cat.fits"), "--scales", "17,18")
    ran = nova(*call)
    folder = home / ".local" / "share" / "nova" / "index"
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0].startswith(f"{folder}/index-cat-17.fits: 80 quads, ")
    assert sorted(p.name for p in folder.glob("*.fits")) == ["index-cat-17.fits", "index-cat-18.fits"]
    ran = nova(*call)
    assert (ran.code, "index-cat-17.fits: the file exists already" in ran.err) == (73, True)
    assert nova(*call, "--overwrite").code == 0
    assert nova("index", "build", str(home / "cat.fits"), "--scales", "all").code == 2


@pytest.mark.engine
def test_damaged_files_do_not_end_a_solve_that_needs_others(
    nova: Nova, home: Path, drawn: DrawnField, real_indexes: index_set.IndexSet
) -> None:
    """A truncated file, a web page, one with the name of another, and one whose quads are random numbers."""
    image, folder = drawn.write_fits(home / "field.fits"), home / "mixed"
    folder.mkdir()
    by_id = {file.index_id: file.path for file in real_indexes.files}
    for needed in (4109, 4110, 4111, 4112, 4113):
        (folder / by_id[needed].name).symlink_to(by_id[needed])
    (folder / "index-4118.fits").write_bytes(by_id[4118].read_bytes()[:100_000])
    (folder / "index-4117.fits").write_text("<html>" * 1000)
    (folder / "index-4107.fits").write_bytes(by_id[4115].read_bytes())
    wrong = folder / "index-4114.fits"
    wrong.write_bytes(by_id[4114].read_bytes())
    with wrong.open("r+b") as stream:
        stream.seek(next(o for h, o in fitsfile.iter_hdus(stream) if h.get("TTYPE1") == "quads"))
        stream.write(np.random.default_rng(2).bytes(100_000))
    problems = {found.path.name for found in inspect([folder]) if found.problem is not None}
    assert problems == {"index-4107.fits", "index-4114.fits", "index-4117.fits", "index-4118.fits"}
    printed = json.loads(nova("submit", "--json", "--no-learn", "--index", str(folder), str(image)).out)
    assert printed["status"] == "solved"
    assert printed["calibration"]["ra"] == pytest.approx(drawn.ra_deg, abs=0.1)
