"""Standard input, streams and downloads as fields."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from made_http import Site, serving
from numpy.typing import NDArray

from novacli.errors import DataError, InputMissingError, OutputError, UsageError
from novacli.inputs import Limits, StreamInput, open_field, opening, parse_input

Writer = Callable[..., Path]


class FakeStdin:
    """Standard input with given bytes."""

    closed = False

    def __init__(self, content: bytes, *, tty: bool = False) -> None:
        self.buffer = io.BytesIO(content)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class FullDisk(io.BytesIO):
    """A temporary file on a disk without space."""

    def write(self, _: object) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture
def site(write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server that has ``ramp`` at /x.fits."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(write_fits(ramp).read_bytes()) as running:
        yield running


@pytest.mark.parametrize("path", ["/x.fits", "/moved", "/packed"])
def test_a_download_is_read(site: Site, ramp: NDArray[np.uint16], path: str) -> None:
    """Plain, redirected, and packed by a server that was not asked to."""
    field = open_field(parse_input(site.url + path))
    np.testing.assert_array_equal(field.pixels, ramp)  # type: ignore[union-attr]
    assert (field.origin.name, field.origin.path) == (site.url + path, None)


def test_a_download_shows_no_credentials(site: Site) -> None:
    with_password = site.url.replace("//", "//ada:hunter2@")
    field = open_field(parse_input(f"{with_password}/x.fits?token=hunter2"))
    assert field.origin.name == site.url.replace("//", "//***@") + "/x.fits?token=***"
    with pytest.raises(DataError, match=r"//\*\*\*@.*is a web page \(HTML\), not an image"):
        open_field(parse_input(f"{with_password}/html?token=hunter2"))


def test_a_download_is_bounded(site: Site) -> None:
    with pytest.raises(DataError, match=r"larger than the limit of 20 kB"):
        open_field(parse_input(site.url + "/endless"), limits=Limits(max_bytes=20_000))


def test_a_full_disk_is_an_output_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the disk under the temporary copy is not taken for one of the network."""
    monkeypatch.setattr(opening, "temporary_file", FullDisk)
    with pytest.raises(OutputError, match="No space left on device; set TMPDIR"):
        open_field(parse_input(site.url + "/x.fits"))


def test_a_stream_is_read_under_its_name(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    content = io.BytesIO(write_fits(ramp).read_bytes())
    field = open_field(StreamInput("m31.fits", lambda: content, "the upload"))
    np.testing.assert_array_equal(field.pixels, ramp)  # type: ignore[union-attr]
    assert (field.origin.name, field.origin.path) == ("m31.fits", None)


def test_standard_input_is_read(write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name that was typed; no file stays behind."""
    monkeypatch.setattr("sys.stdin", FakeStdin(write_fits(ramp).read_bytes()))
    field = open_field(parse_input("-"))
    np.testing.assert_array_equal(field.pixels, ramp)  # type: ignore[union-attr]
    assert (field.origin.name, field.origin.path) == ("-", None)


def test_standard_input_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe may have no end."""
    monkeypatch.setattr("sys.stdin", FakeStdin(b"1,2\n" * 1000))
    with pytest.raises(DataError, match=r"standard input is larger than the limit of 2 kB"):
        open_field(parse_input("-"), limits=Limits(max_bytes=2000))


def test_an_empty_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the command before the pipe had failed."""
    monkeypatch.setattr("sys.stdin", FakeStdin(b""))
    with pytest.raises(DataError, match="- is empty"):
        open_field(parse_input("-"))


def test_a_terminal_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for someone to type a FITS file would look like a hang."""
    monkeypatch.setattr("sys.stdin", FakeStdin(b"", tty=True))
    with pytest.raises(UsageError, match="standard input is a terminal"):
        open_field(parse_input("-"))


def test_a_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As cron may leave it."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputMissingError, match="standard input is closed"):
        open_field(parse_input("-"))
