"""What a user typed, told apart: a file, a URL or standard input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from novacli.errors import DeniedError, InputMissingError, TransferError
from novacli.files.urls import USER_POLICY, UrlPolicy
from novacli.inputs import FileInput, StreamInput, UrlInput, open_field, parse_input

Writer = Callable[..., Path]


def test_what_a_user_types_is_standard_input_a_url_or_a_path() -> None:
    assert isinstance(parse_input("-"), StreamInput)
    assert parse_input("HTTPS://host/x.fits") == UrlInput("HTTPS://host/x.fits", USER_POLICY)
    for path in ("x.fits", "-x.fits", "http:/x.fits", "file:///etc/passwd", "ftp://host/x.fits", ""):
        assert parse_input(path) == FileInput(path)


def test_a_url_input_is_strict_by_default() -> None:
    assert UrlInput("http://host/x.fits").policy == UrlPolicy()


@pytest.mark.parametrize("url", ["file://{}", "{}", "FILE://{}", "http:{}", "http://localhost{}", "http://[::1]{}"])
def test_a_url_input_cannot_be_made_to_read_a_file(write_fits: Writer, ramp: NDArray[np.uint16], url: str) -> None:
    """Whatever the URL says; the file is there and could be read."""
    with pytest.raises((DeniedError, InputMissingError, TransferError), match=r"no valid URL|other than http|reached"):
        open_field(UrlInput(url.format(write_fits(ramp))))


def test_a_file_input_cannot_be_made_to_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may be called like a URL; nothing is asked of a network."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputMissingError, match="is not a file"):
        open_field(FileInput("http://127.0.0.1:9/x.fits"))
    Path("http:/127.0.0.1:9").mkdir(parents=True)
    Path("http:/127.0.0.1:9/x.csv").write_text("x,y,flux\n1,2,3\n2,3,2\n3,4,1\n4,5,1\n")
    assert open_field(FileInput("http://127.0.0.1:9/x.csv")).origin.path == "http://127.0.0.1:9/x.csv"


def test_a_url_is_named_without_its_credentials() -> None:
    assert UrlInput("http://ada:secret@host/x?token=a").name == "http://***@host/x?token=***"
