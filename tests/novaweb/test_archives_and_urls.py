"""Uploads of several files: archives, good and hostile; and uploads by URL."""

from __future__ import annotations

import gzip
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from made_client import ApiClient

from novacli.errors import DataError, NovaError
from novaweb import archives
from novaweb.fetch import Fetch
from novaweb.folders import Folders
from novaweb.submissions.models import Blob, Job, JobState, Submission, UserImage


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w:gz", *links: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    return out.getvalue()


FILES = {"night/m42.jpg": b"first", "night/m31.jpg": b"second", ".hidden": b"x", "__MACOSX/m42.jpg": b"y"}


ARCHIVES = {"zip": zipped(FILES), **{kind: tarred(FILES, f"w:{kind}") for kind in ("", "gz", "bz2", "xz")}}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_each_file_of_an_archive_is_an_image_with_a_job(alice: ApiClient, content: bytes) -> None:
    number = alice.upload(content, "night.zip")["subid"]
    found = alice.post(f"submissions/{number}")
    assert (len(found["user_images"]), len(found["jobs"])) == (2, 2)
    names = UserImage.objects.order_by("pk").values_list("original_name", "blob__size")
    assert [*names] == [("m42.jpg", 5), ("m31.jpg", 6)]


def test_a_picture_in_gzip_is_no_archive(alice: ApiClient) -> None:
    alice.upload(gzip.compress(b"SIMPLE  =" + b" " * 2000), "m42.fits.gz")
    assert UserImage.objects.get().original_name == "m42.fits.gz"


def test_names_in_an_archive_are_no_paths(alice: ApiClient, data: Folders) -> None:
    alice.upload(tarred({"../../etc/a.jpg": b"1", "/etc/b.jpg": b"2"}, "w", "link.jpg"), "x.tar")
    assert sorted(UserImage.objects.values_list("original_name", flat=True)) == ["a.jpg", "b.jpg"]
    assert {path.parent.parent for path in data.root.rglob("*") if path.is_file()} == {data.blobs}


BOMB = zipped({f"{n}.fits": b"\0" * 2_000_000 for n in range(3)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped({f"{n}.jpg": b"x" for n in range(archives.MAX_FILES + 1)}), "more than 200 files"),
        (BOMB, "too large together"),
        (tarred({"a.fits": b"\0" * 5_500_000}), "too large together"),
        (zipped({"a.jpg": b"x" * 1000})[:-30], "cannot be read"),
        (tarred({"a.jpg": bytes(range(256)) * 400})[:-200], "cannot be read"),
        (zipped({"dir/": b""}), "has no file"),
    ],
    ids=["files", "bomb", "tar bomb", "cut zip", "cut tar", "folders"],  # archives have times in them
)
def test_bad_archives_are_refused(alice: ApiClient, settings: Any, data: Folders, content: bytes, message: str) -> None:
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", max_upload_mb=5, data_dir=data.root)
    answer = alice.upload(content, "x.zip")
    assert (answer["status"], message in answer["errormessage"]) == ("error", True)
    assert not Job.objects.exists()
    assert not [*data.spool.iterdir()]


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    plain = zipped({"a.jpg": b"x"})
    path = tmp_path / "x.zip"
    path.write_bytes(
        plain.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01", 1).replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01", 1
        )
    )
    with pytest.raises(DataError, match="cannot be read"):
        [list(content) for _, content in archives.members(path, 1000)]


def test_an_archive_of_more_files_than_jobs_are_allowed_is_refused(alice: ApiClient, settings: Any, data: Any) -> None:
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", max_queued=2, data_dir=data.root)
    answer = alice.upload(zipped({f"{n}.jpg": b"x" for n in range(3)}), "x.zip")
    assert "2 of your jobs wait or run" in answer["errormessage"]
    assert not Job.objects.exists()


class _Handler(http.server.BaseHTTPRequestHandler):
    content = b""

    def do_GET(self) -> None:
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("=")[2])
            self.end_headers()
            return
        self.send_response(200 if self.path.startswith("/sky") else 404)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(sky: bytes) -> Iterator[str]:
    """The URL of a server with the drawn picture at ``/sky.fits``."""
    _Handler.content = sky
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def open_to_loopback(settings: Any, data: Folders) -> None:
    """Allow the addresses of this machine."""
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", fetch_networks="127.0.0.0/8", data_dir=data.root)


@pytest.mark.engine
def test_a_picture_at_a_url_is_solved(
    alice: ApiClient, site: str, open_to_loopback: None, work: Callable[..., None], data: Folders
) -> None:
    answer = alice.post("url_upload", url=f"{site}/sky.fits?token=secret")
    assert answer == {"status": "success", "subid": 1}
    work()
    assert alice.post("jobs/1") == {"status": "success"}
    assert alice.post("jobs/1/info")["original_filename"] == "sky.fits"
    assert Submission.objects.get().url == f"{site}/sky.fits?token=***"
    assert not [*data.spool.iterdir()]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("path", "message"),
    [("/none.jpg", "is not there (HTTP 404)"), ("/away?=http://192.0.2.1/x", "may not be reached")],
)
def test_a_url_that_cannot_be_fetched_fails_its_job(
    alice: ApiClient, site: str, open_to_loopback: None, work: Callable[..., None], path: str, message: str
) -> None:
    alice.post("url_upload", url=site + path)
    work()
    assert Job.objects.get().state == JobState.FAILED
    assert message in alice.post("submissions/1")["error_message"]
    assert not Blob.objects.exists()


INSIDE = ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://10.1.2.3/", "http://169.254.169.254/x",
          "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://127.1/", "http://100.64.0.1/",
          "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "file:///etc/passwd", "ftp://192.0.2.1/", "gopher://x",
          "hello", "http://", "http://127.0.0.1:22/", "http://user:word@127.0.0.1/"]  # fmt: skip


@pytest.mark.parametrize("url", INSIDE)
def test_addresses_inside_are_not_reached(data: Folders, url: str) -> None:
    with pytest.raises(NovaError) as caught:
        Fetch(django_settings.NOVAWEB).download(url)
    assert "word" not in str(caught.value)
    assert not [*data.spool.iterdir()]


@pytest.mark.parametrize("url", [5, ["x"], "x" * 2001, "http://a/\x00", "http://a/\n"])
def test_a_url_that_is_none_is_refused_at_once(alice: ApiClient, url: Any) -> None:
    assert alice.post("url_upload", url=url)["errormessage"] == '"url" is no text of at most 2000 printable characters'
