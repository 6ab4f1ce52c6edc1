"""Where a batch puts things: the same command finds its ledger again."""

from __future__ import annotations

from pathlib import Path

import pytest

from novacli.batch.places import default_ledger


class TestLedger:
    def test_it_is_in_the_state_directory_under_a_name_that_tells(self, tmp_path: Path) -> None:
        found = default_ledger(["/data/night 1/"], None, {"XDG_STATE_HOME": str(tmp_path)})
        assert found.parent == tmp_path / "nova" / "batches"
        assert found.name.startswith("night-1-")
        assert found.suffix == ".sqlite"

    def test_order_repetitions_and_where_one_is_do_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("/usr")
        expected = default_ledger(["/usr/lib", "/usr/bin"], None)
        assert default_ledger(["bin", "../usr/lib/", "/usr/bin"], None) == expected
        assert default_ledger(["/usr/bin"], None) != expected

    @pytest.mark.parametrize("more", ["/n/c.FITS", "/n/d.fits.gz", "/n/e.cr2", "/n"])
    def test_frames_that_come_or_go_leave_it_the_same(self, more: str) -> None:
        expected = default_ledger(["/n"], None)
        assert default_ledger(["/n/a.fits", "/n/b.jpg"], None) == expected
        assert default_ledger(["/n/a.fits", "/n/b.jpg", more], None) == expected
        assert default_ledger(["/n/a.fits", "/m/b.jpg"], None) != expected

    def test_lists_and_folders_are_themselves_though_they_may_be_gone(self) -> None:
        assert len({default_ledger([path], None) for path in ("/n", "/n/list.txt", "/n/mnt", "/n/\udcff")}) == 4

    def test_an_output_folder_has_its_own(self) -> None:
        assert default_ledger(["/n"], "/out").parent == Path("/out")
