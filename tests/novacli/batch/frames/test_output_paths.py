"""The paths of ledgers and outputs: a command finds its ledger again, and no two outputs reach one file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from novacli.batch.frames.output_paths import default_ledger, ledgers, output_files, remember
from novacli.batch.records import BatchOutputs, FrameFile
from novacli.errors import UsageError


class TestLedger:
    def test_it_is_in_the_state_directory_under_a_name_like_the_folder(self, tmp_path: Path) -> None:
        found = default_ledger(["/data/night 1/"], None, {"XDG_STATE_HOME": str(tmp_path)})
        assert found.parent == tmp_path / "nova" / "batches"
        assert found.name.startswith("night-1-")
        assert found.suffix == ".sqlite"

    def test_order_repetitions_and_the_current_folder_do_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("/usr")
        expected = default_ledger(["/usr/lib", "/usr/bin"], None)
        assert default_ledger(["bin", "../usr/lib/", "/usr/bin"], None) == expected
        assert default_ledger(["/usr/bin"], None) != expected

    @pytest.mark.parametrize("more", ["/n/c.FITS", "/n/d.fits.gz", "/n/e.cr2", "/n"])
    def test_new_and_removed_frames_do_not_change_it(self, more: str) -> None:
        expected = default_ledger(["/n"], None)
        assert default_ledger(["/n/a.fits", "/n/b.jpg"], None) == expected
        assert default_ledger(["/n/a.fits", "/n/b.jpg", more], None) == expected
        assert default_ledger(["/n/a.fits", "/m/b.jpg"], None) != expected

    def test_lists_and_folders_count_as_themselves_even_if_they_are_gone(self) -> None:
        assert len({default_ledger([path], None) for path in ("/n", "/n/list.txt", "/n/mnt", "/n/\udcff")}) == 4

    def test_an_output_folder_has_its_own(self) -> None:
        assert default_ledger(["/n"], "/out").parent == Path("/out")


class TestAllLedgers:
    @pytest.fixture
    def env(self, tmp_path: Path) -> dict[str, str]:
        return {"XDG_STATE_HOME": str(tmp_path / "state")}

    def test_ledgers_elsewhere_are_found_until_they_are_removed(self, tmp_path: Path, env: dict[str, str]) -> None:
        assert ledgers(env) == []
        home = default_ledger(["/n"], None, env)
        elsewhere = [default_ledger(["/n"], str(tmp_path / name)) for name in ("out", "\udcff")]
        for path in (home, *elsewhere):
            path.parent.mkdir(parents=True)
            path.touch()
            for _ in range(2):
                remember(path, env)
        assert ledgers(env)[0] == home
        assert sorted(ledgers(env)[1:]) == sorted(elsewhere)
        elsewhere[0].unlink()
        assert ledgers(env) == [home, elsewhere[1]]
        assert len(os.listdir(home.parent)) == 2

    def test_a_ledger_is_known_by_its_real_path(
        self, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("l.sqlite").touch()
        Path("link").symlink_to("l.sqlite")
        for name in ("l.sqlite", "./l.sqlite", "link", f"{tmp_path}/l.sqlite"):
            remember(Path(name), env)
        assert ledgers(env) == [tmp_path / "l.sqlite"]

    def test_a_link_that_cannot_be_made_is_no_error(self, tmp_path: Path) -> None:
        (tmp_path / "state").touch()
        remember(tmp_path / "l.sqlite", {"XDG_STATE_HOME": str(tmp_path / "state")})
        assert ledgers({"XDG_STATE_HOME": str(tmp_path / "state")}) == []


class TestOutputFiles:
    """Two frames whose outputs would reach one file, although the paths differ, are refused."""

    @pytest.fixture
    def frames(self, tmp_path: Path) -> list[FrameFile]:
        return [
            FrameFile(str(tmp_path / night / "f.fits"), 1, 1, str(tmp_path / night)) for night in ("first", "second")
        ]

    def test_folders_of_their_own_are_distinct(self, tmp_path: Path, frames: list[FrameFile]) -> None:
        files = output_files(frames, BatchOutputs(("wcs", "corr"), out_dir=str(tmp_path / "out")))
        assert len({path for pairs in files.values() for _, path in pairs}) == 4

    def test_a_folder_behind_a_symbolic_link_is_the_same_folder(self, tmp_path: Path, frames: list[FrameFile]) -> None:
        out = tmp_path / "out"
        (out / "first").mkdir(parents=True)
        (out / "second").symlink_to("first")
        with pytest.raises(
            UsageError, match=r"would both be written to .*/out/second/f\.wcs, which is the same file as"
        ):
            output_files(frames, BatchOutputs(("wcs",), out_dir=str(out)))

    def test_a_dot_in_a_path_makes_no_other_file(self, tmp_path: Path, frames: list[FrameFile]) -> None:
        twice = [frames[0], FrameFile(f"{tmp_path}/first/./f.fits", 1, 1)]
        with pytest.raises(UsageError, match="would both be written to"):
            output_files(twice, BatchOutputs(("wcs",)))

    @pytest.mark.parametrize("is_hard", [False, True])
    def test_an_output_that_is_a_link_to_another_output(
        self, tmp_path: Path, frames: list[FrameFile], is_hard: bool
    ) -> None:
        for night in ("first", "second"):
            (tmp_path / night).mkdir()
        file, link = (tmp_path / night / "f.wcs" for night in ("first", "second"))
        file.touch()
        (link.hardlink_to if is_hard else link.symlink_to)(file)
        with pytest.raises(UsageError, match="would both be written to"):
            output_files(frames, BatchOutputs(("wcs",)))

    def test_two_outputs_of_one_frame(self, tmp_path: Path, frames: list[FrameFile]) -> None:
        (tmp_path / "first").mkdir()
        (tmp_path / "first" / "f.corr").symlink_to("f.wcs")
        with pytest.raises(UsageError, match="two outputs of one frame would both be written to"):
            output_files(frames, BatchOutputs(("wcs", "corr")))

    @pytest.mark.parametrize(
        ("name", "copy"),
        [("f.fits.xz", "f.fits.xz"), ("f.fits.Z", "f.fits"), ("f.fits.zip", "f.fits"), ("f.jpg", "f.jpg.fits")],
    )
    def test_a_copy_has_the_name_of_its_frame_if_nova_can_pack_it_so(
        self, tmp_path: Path, name: str, copy: str
    ) -> None:
        frame = FrameFile(str(tmp_path / "first" / name), 1, 1, str(tmp_path / "first"))
        (outputs,) = output_files([frame], BatchOutputs(("new_fits",), out_dir=str(tmp_path / "out"))).values()
        assert [os.path.basename(path) for _, path in outputs] == [copy]
