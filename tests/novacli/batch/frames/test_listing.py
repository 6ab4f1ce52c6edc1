"""Which files a batch has: found once each, in order."""

from __future__ import annotations

import io
import os
from datetime import datetime
from pathlib import Path

import pytest

from novacli.batch.frames import listing
from novacli.batch.frames.listing import find_frames, frame_at, is_settled, parse_newer, read_list
from novacli.errors import DeniedError, InputMissingError, UsageError
from novacli.inputs.registry import FORMATS


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(found: listing.FoundFrames, top: Path) -> list[str]:
    return [os.path.relpath(frame.path, top) for frame in found.frames]


class TestFolders:
    def test_pictures_are_found_by_suffix_whatever_its_case_packed_or_not(self, tmp_path: Path) -> None:
        for name in ("b.FITS", "a.fit", "n1/c.fits.gz", "n1/d.cr2", "n1/x/e.JPG", "f.fits.bz2", "g.fz"):
            put(tmp_path / name)
        for name in ("notes.txt", "stars.json", "log", "fits", "h.gz", "n1/y.wcs", "a.fits.truth.json"):
            put(tmp_path / name)
        found = find_frames([str(tmp_path)])
        expected = ["a.fit", "b.FITS", "f.fits.bz2", "g.fz", "n1/c.fits.gz", "n1/d.cr2", "n1/x/e.JPG"]
        assert names(found, tmp_path) == expected
        assert found.remarks == ()
        assert {frame.root for frame in found.frames} == {str(tmp_path)}

    def test_every_picture_format_has_a_suffix_and_no_star_list_has(self) -> None:
        assert {known.word for known in FORMATS if not known.suffixes} == {"JSON", "text"}

    def test_hidden_files_and_folders_are_left_out(self, tmp_path: Path) -> None:
        for name in (".a.fits", ".new-1/b.fits", "._c.fits", "d.fits"):
            put(tmp_path / name)
        assert names(find_frames([str(tmp_path)]), tmp_path) == ["d.fits"]

    def test_jobs_are_left_out_whole(self, tmp_path: Path) -> None:
        for name in ("jobs/1/job.json", "jobs/1/job.axy", "jobs/1/wcs.fits", "jobs/1/sub/x.fits", "half/job.json"):
            put(tmp_path / name)
        put(tmp_path / "half/y.fits")
        assert names(find_frames([str(tmp_path)]), tmp_path) == ["half/y.fits"]

    def test_patterns_are_for_names_and_replace_the_suffixes(self, tmp_path: Path) -> None:
        for name in ("a_L_1.fits", "a_R_1.fits", "s/b_L_2.dat", "c_L_.wcs", "d_L_.fits.truth.json", ".e_L_.fits"):
            put(tmp_path / name)
        assert names(find_frames([str(tmp_path)], patterns=["*_L_*"]), tmp_path) == ["a_L_1.fits", "s/b_L_2.dat"]
        both = find_frames([str(tmp_path)], patterns=["*_L_*.dat", "a_R*"])
        assert names(both, tmp_path) == ["a_R_1.fits", "s/b_L_2.dat"]

    def test_a_pattern_for_paths_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="for names alone"):
            find_frames([str(tmp_path)], patterns=["night/*.fits"])

    def test_excluded_folders_and_files_give_nothing(self, tmp_path: Path) -> None:
        for name in ("a.fits", "out/b.fits", "out/x/c.fits", "output.fits", "one.fits"):
            put(tmp_path / name)
        (tmp_path / "alias").symlink_to(tmp_path / "out")
        found = find_frames([str(tmp_path)], exclude=[tmp_path / "out", str(tmp_path / "one.fits")])
        assert names(found, tmp_path) == ["a.fits", "output.fits"]

    def test_a_folder_cannot_be_read_and_written_into(self, tmp_path: Path) -> None:
        put(tmp_path / "out/a.fits")
        with pytest.raises(UsageError, match="holds the frames and is the folder of --out"):
            find_frames([str(tmp_path / "out")], exclude=[tmp_path / "out"])

    def test_a_named_folder_in_an_excluded_folder_is_searched(self, tmp_path: Path) -> None:
        for name in ("raw/night/a.fits", "raw/night/out/b.fits", "night/c.fits"):
            put(tmp_path / name)
        found = find_frames([str(tmp_path / "raw/night")], exclude=[tmp_path, tmp_path / "raw/night/out"])
        assert names(found, tmp_path) == ["raw/night/a.fits"]

    def test_an_empty_folder_is_no_error(self, tmp_path: Path) -> None:
        found = find_frames([str(tmp_path)])
        assert (found.frames, found.remarks) == ((), ())


class TestOnce:
    def test_a_file_with_several_names_is_found_once_by_its_real_name(self, tmp_path: Path) -> None:
        put(tmp_path / "z/real.fits")
        (tmp_path / "a.fits").symlink_to(tmp_path / "z/real.fits")
        (tmp_path / "b").symlink_to(tmp_path / "z")
        given = [str(tmp_path / "b"), str(tmp_path), str(tmp_path / "a.fits"), str(tmp_path / "z/../z/real.fits")]
        assert names(find_frames(given), tmp_path) == ["z/real.fits"]
        assert names(find_frames([*reversed(given)]), tmp_path) == ["z/real.fits"]

    def test_links_to_elsewhere_are_followed_under_their_own_names(self, tmp_path: Path) -> None:
        put(tmp_path / "elsewhere/a.fits")
        (tmp_path / "top").mkdir()
        (tmp_path / "top/night").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "latest").symlink_to(tmp_path / "top")
        assert names(find_frames([str(tmp_path / "latest")]), tmp_path) == ["latest/night/a.fits"]

    def test_loops_end(self, tmp_path: Path) -> None:
        put(tmp_path / "a/b/x.fits")
        (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
        (tmp_path / "a/b/self").symlink_to("self")
        (tmp_path / "a/b/root").symlink_to("/")
        (tmp_path / "c").mkdir()
        (tmp_path / "c/to_a").symlink_to(tmp_path / "a")
        (tmp_path / "a/to_c").symlink_to(tmp_path / "c")
        found = find_frames([str(tmp_path / "a")])
        assert names(found, tmp_path) == ["a/b/x.fits"]

    def test_hard_links_are_two_files(self, tmp_path: Path) -> None:
        os.link(put(tmp_path / "a.fits"), tmp_path / "b.fits")
        assert len(find_frames([str(tmp_path)]).frames) == 2

    def test_frames_are_sorted_by_path(self, tmp_path: Path) -> None:
        given = [str(put(tmp_path / name)) for name in ("c.fits", "a.fits", "b.fits")]
        assert [f.path for f in find_frames(given).frames] == sorted(given)


class TestNamed:
    def test_a_named_file_is_taken_whatever_its_name(self, tmp_path: Path) -> None:
        given = [str(put(tmp_path / name)) for name in (".hidden", "no_suffix", "stars.txt")]
        found = find_frames(given, patterns=["*.fits"])
        assert [frame.path for frame in found.frames] == given
        assert {frame.root for frame in found.frames} == {None}

    def test_relative_paths_become_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(tmp_path / "a.fits", b"12345")
        monkeypatch.chdir(tmp_path)
        (frame,) = find_frames(["a.fits"]).frames
        assert frame == frame_at(str(tmp_path / "a.fits"))
        assert frame.size == 5

    def test_names_of_any_bytes_are_kept(self, tmp_path: Path) -> None:
        path = os.fsencode(tmp_path) + b"/\xff\n.fits"
        Path(os.fsdecode(path)).write_bytes(b"x")
        (frame,) = find_frames([str(tmp_path)]).frames
        assert os.fsencode(frame.path) == path

    def test_newer_applies_to_files_and_folders(self, tmp_path: Path) -> None:
        old, new = put(tmp_path / "old.fits"), put(tmp_path / "new.fits")
        os.utime(old, (1000, 1000))
        os.utime(new, (2000, 2000))
        for given in ([str(tmp_path)], [str(old), str(new)]):
            assert names(find_frames(given, newer_s=2000), tmp_path) == ["new.fits"]

    def test_times_beyond_64_bits_are_limited(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert listing._clamped(10**22) == 2**63 - 1
        assert listing._clamped(-(10**22)) == -(2**63 - 1)
        assert listing._clamped(5) == 5

    def test_a_named_pipe_is_a_frame_so_that_opening_it_gives_the_error(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "p.fits")
        assert find_frames([str(tmp_path)]).frames == ()
        assert names(find_frames([str(tmp_path / "p.fits")]), tmp_path) == ["p.fits"]


class TestTrouble:
    def test_missing_paths_are_reported_and_the_others_are_found(self, tmp_path: Path) -> None:
        found = find_frames([str(tmp_path / "gone.fits"), str(put(tmp_path / "a.fits"))])
        assert names(found, tmp_path) == ["a.fits"]
        assert found.remarks == (f"{tmp_path}/gone.fits is not there: check the path or the mount",)

    def test_thousands_of_missing_paths_share_a_remark(self, tmp_path: Path) -> None:
        gone = [str(tmp_path / f"mnt/{n}.fits") for n in range(2000)]
        found = find_frames([*gone, str(put(tmp_path / "a.fits"))])
        assert found.remarks == (f"2,000 paths in {tmp_path}/mnt are not there, such as 0.fits: check the mount",)

    def test_it_is_an_error_if_no_path_exists(self, tmp_path: Path) -> None:
        with pytest.raises(InputMissingError, match=r"a\.fits is not there.*; .*b is not there"):
            find_frames([str(tmp_path / "a.fits"), str(tmp_path / "b")])
        with pytest.raises(InputMissingError, match="not there"):
            find_frames(["nul\0byte"])

    def test_no_paths_are_no_frames(self) -> None:
        assert find_frames([]).frames == ()

    def test_a_read_error_in_a_folder_is_reported_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(tmp_path / "bad/a.fits")
        put(tmp_path / "good/b.fits")
        real = os.scandir

        def scandir(path: str) -> object:
            if str(path).endswith("bad"):
                raise OSError(116, "Stale file handle", path)
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        found = find_frames([str(tmp_path)])
        assert names(found, tmp_path) == ["good/b.fits"]
        (remark,) = found.remarks
        assert remark.startswith(f"{tmp_path}/bad cannot be read: Stale file handle; check the disk or the mount")
        with pytest.raises(InputMissingError, match="Stale file handle"):
            find_frames([str(tmp_path / "bad")])

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_folder_that_may_not_be_read_is_denied(self, tmp_path: Path) -> None:
        (tmp_path / "closed").mkdir(mode=0)
        with pytest.raises(DeniedError, match="may not be read"):
            find_frames([str(tmp_path / "closed")])
        put(tmp_path / "a.fits")
        assert len(find_frames([str(tmp_path)]).remarks) == 1


class TestLists:
    def test_lines(self, tmp_path: Path) -> None:
        listed = put(tmp_path / "list", b"a.fits\n\n b c.fits\r\na.fits\n   \nlast")
        assert read_list(str(listed)) == ["a.fits", " b c.fits", "last"]

    def test_nul_separated_keeps_line_feeds(self) -> None:
        assert read_list("-", io.BytesIO(b"a\nb.fits\0c.fits\0\0a\nb.fits\0")) == ["a\nb.fits", "c.fits"]

    def test_any_bytes(self) -> None:
        assert read_list("-", io.BytesIO(b"\xff.fits\n")) == ["\udcff.fits"]

    def test_a_missing_list_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(InputMissingError, match="the list cannot be read: No such file"):
            read_list(str(tmp_path / "none"))


class TestTimes:
    def test_newer_takes_ages_dates_and_files(self, tmp_path: Path) -> None:
        assert parse_newer("90m", now_s=10_000.0) == 4600.0
        assert parse_newer("2026-03-01T20:00:00Z") == 1772395200
        assert parse_newer("2026-03-01") == datetime(2026, 3, 1).timestamp()
        path = put(tmp_path / "stamp")
        os.utime(path, (1234.5, 1234.5))
        assert parse_newer(str(path)) == 1234.5
        with pytest.raises(UsageError, match="neither an age nor a date nor a file"):
            parse_newer("yesterday-ish")

    @pytest.mark.parametrize(
        ("age_s", "settled"), [(0, False), (9.9, False), (10, True), (1e9, True), (-9.9, False), (-3600, True)]
    )
    def test_a_file_is_settled_after_the_settling_time(self, age_s: float, settled: bool) -> None:
        frame = listing.FrameFile("/a", 1, int(2e18))
        assert is_settled(frame, 2e9 + age_s, 10) is settled

    def test_without_a_settling_time_all_are_settled(self) -> None:
        assert is_settled(listing.FrameFile("/a", 1, int(2e18)), 2e9, 0)
