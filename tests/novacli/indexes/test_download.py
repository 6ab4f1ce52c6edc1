"""``nova index get`` against a server on this machine that stalls, cuts, redirects, lies and is busy."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import made_mirror
import pytest
from made_indexes import make_whole_index
from made_mirror import Mirror

from novacli.errors import DataError, InputMissingError, OutputError, RetryLaterError, TransferError
from novacli.files.http import Bounds
from novacli.indexes import download
from novacli.indexes.checksums import read_list
from novacli.indexes.choice import near, parse_scales
from novacli.indexes.download import Fetched, check_room, fetch, part_of
from novacli.indexes.series import SERIES, SeriesFile
from novacli.records.params import Position

NAME = "index-4119.fits"
FILE = SERIES["4100"].files([19])[0]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies, short pauses, and a short patience with silence."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(download, "_POLL_S", 0.01)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_whole_index(tmp_path_factory.mktemp("made") / NAME, stars=3000, quads=3000).read_bytes()


@pytest.fixture
def mirror(content: bytes) -> Iterator[Mirror]:
    with made_mirror.serving({NAME: content}) as running:
        yield running


def _get(mirror: Mirror, folder: Path, *files: SeriesFile, connections: int = 2) -> list[Fetched]:
    folder.mkdir(exist_ok=True)
    return list(fetch(files or (FILE,), mirror.url, folder, connections, lambda _: None))


def _error(mirror: Mirror, folder: Path) -> Any:
    (done,) = _get(mirror, folder)
    assert not (folder / NAME).exists()
    return done.error


def test_a_file_is_checked_named_and_listed(mirror: Mirror, content: bytes, tmp_path: Path) -> None:
    (done,) = _get(mirror, tmp_path / "i")
    assert done.error is None
    assert (tmp_path / "i" / NAME).read_bytes() == content
    assert read_list(tmp_path / "i") == {NAME: hashlib.sha256(content).hexdigest()}
    assert sorted(p.name for p in (tmp_path / "i").iterdir()) == ["SHA256SUMS", NAME]


def test_ten_interruptions_in_a_row_are_survived(mirror: Mirror, content: bytes, tmp_path: Path) -> None:
    """Each time it goes on behind the last byte, so that nothing is downloaded twice."""
    step = len(content) // 12
    mirror.troubles = [f"cut {step}"] * 10
    (done,) = _get(mirror, tmp_path / "i")
    assert done.error is None
    assert done.path.read_bytes() == content
    assert mirror.ranges == [None, *(f"bytes={step * n}-" for n in range(1, 11))]


@pytest.mark.parametrize("troubles", [
    ["redirect"], ["503", "429 0", "500", "408"], ["wrong part"], ["cut 5000", "wrong part", "redirect", "plain"],
    ["cut 5000", "503", "cut 5000", "429"], ["longer"],
])  # fmt: skip
def test_passing_troubles_are_survived(troubles: list[str], mirror: Mirror, content: bytes, tmp_path: Path) -> None:
    mirror.troubles = list(troubles)
    (done,) = _get(mirror, tmp_path / "i")
    assert done.error is None
    assert done.path.read_bytes() == content


def test_a_stalled_connection_is_left(
    mirror: Mirror, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_BOUNDS", Bounds(10**8, silence_s=0.2, total_s=20))
    mirror.troubles = ["stall 70000", "stall 0"]
    (done,) = _get(mirror, tmp_path / "i")
    assert done.error is None
    assert done.path.read_bytes() == content
    assert mirror.ranges[1:] == ["bytes=65536-", "bytes=65536-"]


def test_the_pause_that_a_server_asks_for_is_kept(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a limit; without a wish, pauses grow."""
    pauses: list[float] = []
    crew = download._Crew([FILE], mirror.url, tmp_path)
    monkeypatch.setattr(download, "_FIRST_PAUSE_S", 2.0)
    monkeypatch.setattr(crew.stopped, "wait", lambda seconds: pauses.append(seconds) or False)
    mirror.troubles = ["503", "429", "503 90", "429 86400", "503 soon"]
    crew._fetch(FILE, tmp_path / NAME)
    assert pauses == [2.0, 4.0, 90.0, 300.0, 32.0]


def test_a_server_that_never_sends_is_given_up(mirror: Mirror, tmp_path: Path) -> None:
    mirror.troubles = ["503"] * 50
    error = _error(mirror, tmp_path / "i")
    assert isinstance(error, RetryLaterError)
    assert len(mirror.ranges) == download._MAX_TRIES


def test_what_came_before_it_was_given_up_is_used_by_the_next_call(
    mirror: Mirror, content: bytes, tmp_path: Path
) -> None:
    mirror.troubles = ["cut 70000", *["500"] * 20]
    assert isinstance(_error(mirror, tmp_path / "i"), TransferError)
    assert part_of(tmp_path / "i" / NAME).stat().st_size == 70000
    mirror.troubles, mirror.ranges = [], []
    (done,) = _get(mirror, tmp_path / "i")
    assert done.path.read_bytes() == content
    assert mirror.ranges == ["bytes=70000-"]


def test_a_part_that_is_whole_already_takes_its_name(mirror: Mirror, content: bytes, tmp_path: Path) -> None:
    """If a call was ended between the last byte and the check."""
    mirror.troubles = ["cut 70000", *["500"] * 20]
    _get(mirror, tmp_path / "i")
    part_of(tmp_path / "i" / NAME).write_bytes(content)
    mirror.troubles = []
    (done,) = _get(mirror, tmp_path / "i")
    assert (done.error, done.path.read_bytes()) == (None, content)


def test_a_part_of_an_older_version_is_dropped(mirror: Mirror, content: bytes, tmp_path: Path) -> None:
    mirror.files[NAME] = content[:60_000] + b"old" * 9999
    mirror.troubles = ["cut 70000", *["500"] * 20]
    _get(mirror, tmp_path / "i")
    mirror.files[NAME], mirror.troubles = content, []
    (done,) = _get(mirror, tmp_path / "i")
    assert done.path.read_bytes() == content


@pytest.mark.parametrize("what", ["has_validators", "resumes"])
def test_a_server_that_cannot_resume_is_asked_for_the_whole_file(
    what: str, mirror: Mirror, content: bytes, tmp_path: Path
) -> None:
    setattr(mirror, what, False)
    mirror.troubles = ["cut 5000", "cut 9000"]
    (done,) = _get(mirror, tmp_path / "i")
    assert done.path.read_bytes() == content


def test_a_part_that_spoils_the_file_is_downloaded_again(mirror: Mirror, content: bytes, tmp_path: Path) -> None:
    """Bytes of the part were changed on the disk: the check finds it, and the file begins again."""
    mirror.troubles = ["cut 70000", *["500"] * 20]
    _get(mirror, tmp_path / "i")
    part = part_of(tmp_path / "i" / NAME)
    part.write_bytes(b"\xff" * part.stat().st_size)
    mirror.troubles = []
    (done,) = _get(mirror, tmp_path / "i")
    assert (done.error, done.path.read_bytes()) == (None, content)


@pytest.mark.parametrize(("trouble", "words"), [
    ("page", "what the server sent is damaged: it is a web page in place of an index file"),
    ("shorter", "cut short"),
])  # fmt: skip
def test_what_is_no_whole_index_file_never_takes_the_name(
    trouble: str, words: str, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.troubles = [trouble] * 3
    error = _error(mirror, tmp_path / "i")
    assert isinstance(error, DataError)
    assert words in str(error)
    assert "choose another --url" in str(error)
    assert list((tmp_path / "i").iterdir()) == []


def test_another_file_never_takes_the_name(mirror: Mirror, content: bytes, tmp_path: Path) -> None:
    mirror.files["index-4118.fits"] = content
    (done,) = _get(mirror, tmp_path / "i", SERIES["4100"].files([18])[0])
    assert "its name is that of index 4118, but its header says 4119" in str(done.error)
    assert list((tmp_path / "i").iterdir()) == []


def test_a_missing_file_does_not_stop_the_others(mirror: Mirror, tmp_path: Path) -> None:
    outcomes = _get(mirror, tmp_path / "i", *SERIES["4100"].files([17, 19, 18]))
    assert {o.file.scale: type(o.error) for o in outcomes} == {
        17: InputMissingError, 18: InputMissingError, 19: type(None),
    }  # fmt: skip


def test_several_files_arrive_beside_each_other(mirror: Mirror, tmp_path: Path) -> None:
    """The list of checksums has them all."""
    files = SERIES["5200"].files([6])[:9]
    for file in files:
        made = make_whole_index(
            tmp_path / "made" / file.name, index_id=5206, low_arcmin=16, high_arcmin=22, healpix=file.healpix, nside=2
        )
        mirror.files[file.name] = made.read_bytes()
    mirror.troubles = ["cut 100", "503", "cut 2000", "redirect"]
    assert [o.error for o in _get(mirror, tmp_path / "i", *files, connections=3)] == [None] * 9
    assert set(read_list(tmp_path / "i")) == {file.name for file in files}


def test_two_calls_do_not_write_to_one_file(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    with part_of(tmp_path / "i" / NAME).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        error = _error(mirror, tmp_path / "i")
    assert isinstance(error, RetryLaterError)
    assert "another nova index get" in str(error)


def test_a_full_disk_ends_the_call(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download._PartFile, "restart", full)
    with pytest.raises(OutputError, match=r"index-4119.fits.part: No space left on device.*free some space"):
        _get(mirror, tmp_path / "i")


def test_room_is_checked_before_anything_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that are there count."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=300_000_000))
    files = SERIES["5200"].files([6])
    with pytest.raises(OutputError, match="323 MB are needed, but 300 MB are free: choose fewer scales"):
        check_room(files, tmp_path / "new")
    for file in files[:6]:
        with part_of(tmp_path / "new" / file.name).open("wb") as part:
            part.truncate(6_000_000)
    check_room(files, tmp_path / "new")


@pytest.mark.parametrize(("text", "numbers"), [("all", None), ("5", [5]), ("5,6", [5, 6]), ("7-9,12", [7, 8, 9, 12])])
def test_scales_are_understood(text: str, numbers: list[int] | None) -> None:
    assert parse_scales(text) == numbers


@pytest.mark.parametrize("text", ["", "x", "5-", "9-7", "5;6", "-1", "100"])
def test_what_is_no_list_of_scales_is_refused(text: str) -> None:
    from novacli.errors import UsageError

    with pytest.raises(UsageError, match="are not understood"):
        parse_scales(text)


def test_tiles_near_a_place_are_chosen() -> None:
    """They hold the place itself and its surroundings, and are few; the whole sky is always near."""
    files = SERIES["5200"].files([5])
    orion = near(files, Position(83.6, -5.4, 1.0))
    assert 1 <= len(orion) <= 8
    assert len(near(files, Position(83.6, -5.4, 180.0))) == 48
    assert near(SERIES["4100"].files(), Position(0, 90, 1)) == SERIES["4100"].files()
    together = {f.name for ra in range(0, 360, 10) for f in near(files, Position(ra, 0.0, 1.0))}
    assert together >= {f.name for f in orion}
