"""The service behind nginx, with the lines of the how-to: the addresses of clients, large uploads, and redirects."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from made_service import Service, made
from requests.adapters import HTTPAdapter

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "web-service.md"
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


class _From(HTTPAdapter):
    """Connections from an address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **options)


def client_at(address: str, **headers: str) -> requests.Session:
    session = requests.Session()
    session.mount("http://", _From(address))
    session.headers.update(headers)
    return session


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service at the address of nginx, which is set up as the how-to says."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    behind = made(folder / "web", NOVAWEB_TRUSTED_PROXY="127.0.0.1")
    behind.env["NOVAWEB_SITE_URL"] = url
    block = re.search(r"^   server \{.*?^   \}", HOWTO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    server = (
        block[0]
        .replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
        .replace("nova.example.org", "127.0.0.1")
        .replace("http://127.0.0.1:8764", behind.url)
    )
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {paths}\n{server}\n}}\n"
    )
    with behind.serving(), _nginx(config, url):
        yield Service(url, behind.key, behind.env)


@contextlib.contextmanager
def _nginx(config: Path, url: str) -> Iterator[None]:
    process = subprocess.Popen([str(NGINX), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{url}/healthz", timeout=10)
                break
            assert time.monotonic() < until
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def upload(client: requests.Session, service: Service, content: bytes = b"picture") -> int:
    """Upload a file without an account, unlisted; return the number of its job."""
    fields = {"request-json": json.dumps({"apikey": "XXXXXXXX"})}
    session = client.post(f"{service.url}/api/login", fields, timeout=60).json()["session"]
    fields = {"request-json": json.dumps({"session": session, "publicly_visible": "n"})}
    answer = client.post(f"{service.url}/api/upload", fields, files={"file": ("m42.jpg", content)}, timeout=60).json()
    found = client.get(f"{service.url}/api/submissions/{answer['subid']}", timeout=60).json()
    client.cookies.clear()
    number: int = found["jobs"][0]
    return number


def test_clients_behind_a_proxy_are_told_apart(front: Service) -> None:
    number = upload(client_at("127.0.0.2"), front)
    path = f"{front.url}/api/jobs/{number}"
    assert client_at("127.0.0.2").get(path, timeout=60).status_code == 200
    assert client_at("127.0.0.3").get(path, timeout=60).status_code == 404


def test_a_client_cannot_claim_another_address(front: Service) -> None:
    number = upload(client_at("127.0.0.2"), front)
    other = client_at("127.0.0.3", **{"X-Forwarded-For": "127.0.0.2"})
    assert other.get(f"{front.url}/api/jobs/{number}", timeout=60).status_code == 404


def test_a_large_upload_passes(front: Service) -> None:
    assert upload(client_at("127.0.0.2"), front, b"x" * 20_000_000) > 0


def test_pages_and_files_pass(front: Service) -> None:
    page = requests.get(front.url, timeout=60)
    assert (page.status_code, "Where on the sky" in page.text) == (200, True)
    assert requests.get(f"{front.url}/static/nova/nova.css", timeout=60).status_code == 200
    answer = requests.get(f"{front.url}/mine", timeout=60, allow_redirects=False)
    assert answer.headers["Location"] == "/sign-in?next=/mine"
