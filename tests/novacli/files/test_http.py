"""The downloader: its errors, its bounds, and what a policy keeps it from reaching.

Every server of these tests runs on this machine.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from made_http import QuietServer, Site, serving

from novacli.errors import DataError, DeniedError, InputMissingError, NovaError, RetryLaterError, TransferError
from novacli.files import http
from novacli.files.http import Bounds, download
from novacli.files.urls import USER_POLICY, UrlPolicy

CONTENT = bytes(range(256)) * 40
BOUNDS = Bounds(max_bytes=1_000_000)
SECRET = "hunter2"
#: As a web server would have it, but with any port, since the servers here get free ones.
STRICT = UrlPolicy(ports=None)
LOOPBACK = dataclasses.replace(STRICT, networks=(ipaddress.ip_network("127.0.0.1/32"),))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(CONTENT) as running:
        yield running


def fetch(url: str, policy: UrlPolicy = USER_POLICY, bounds: Bounds = BOUNDS) -> bytes:
    chunks: list[bytes] = []
    download(url, chunks.append, policy, bounds)
    return b"".join(chunks)


Resolve = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Return a function that makes each look-up of a name give the next of some addresses, and the last for ever."""
    real = socket.getaddrinfo

    def install(**names: list[str]) -> None:
        def look_up(host: str, *args: object, **options: object) -> list[object]:
            answers = names.get(host.replace(".", "_").replace("-", "_"))
            if answers is None:
                return list(real(host, *args, **options))  # type: ignore[call-overload]
            address = answers.pop(0) if len(answers) > 1 else answers[0]
            return list(real(address, *args, **options))  # type: ignore[call-overload]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return install


# --- What comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/x.fits", "/x.fits?a=b", "/moved"])
def test_the_content_arrives(site: Site, path: str) -> None:
    assert fetch(site.url + path) == CONTENT


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/status/404", InputMissingError, r"is not there \(HTTP 404\)"),
        ("/status/410", InputMissingError, r"is not there \(HTTP 410\)"),
        ("/status/401", DeniedError, r"may not be read \(HTTP 401\)"),
        ("/status/403", DeniedError, r"may not be read \(HTTP 403\)"),
        ("/status/418", DataError, r"refuses the request \(HTTP 418\)"),
        ("/status/429", RetryLaterError, r"busy \(HTTP 429\)"),
        ("/status/503", RetryLaterError, r"busy \(HTTP 503\)"),
        ("/status/500", TransferError, r"failed \(HTTP 500\)"),
        ("/loop", TransferError, "redirects too many times"),
        ("/to-file", TransferError, "leads to something other than http or https"),
        ("/short", TransferError, "broke off|connection failed"),
        ("/huge", DataError, r"larger than the limit of 1 MB for a download"),
    ],
)
def test_an_error_has_a_class_and_one_line(site: Site, path: str, error: type[NovaError], message: str) -> None:
    """A script can tell by the class if another try makes sense."""
    with pytest.raises(error, match=message) as caught:
        fetch(site.url + path)
    assert "\n" not in str(caught.value)
    assert path in str(caught.value)


def test_a_download_without_an_announced_length_is_bounded(site: Site) -> None:
    """It is cut off as soon as it is too large."""
    with pytest.raises(DataError, match=r"larger than the limit of 20 kB"):
        fetch(site.url + "/endless", bounds=Bounds(max_bytes=20_000))


def test_a_server_that_falls_silent_is_given_up(site: Site) -> None:
    with pytest.raises(TransferError, match="did not answer in time"):
        fetch(site.url + "/slow", bounds=Bounds(1_000_000, silence_s=0.2))


def test_the_whole_download_has_a_deadline(site: Site) -> None:
    """Even if each wait is short enough."""
    with pytest.raises(TransferError, match=r"did not arrive within 0\.3 s"):
        fetch(site.url + "/slow", bounds=Bounds(1_000_000, total_s=0.3))


def test_a_refused_connection_is_a_transfer_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TransferError, match="the connection failed"):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/x.fits")


@pytest.mark.parametrize("url", ["http://", "https:///x.fits", "http://[::1/x.fits", "http://a b/"])
def test_an_invalid_url_is_told(url: str) -> None:
    with pytest.raises((InputMissingError, TransferError), match=r"is no valid URL|connection failed"):
        fetch(url)


def test_a_scheme_other_than_http_is_refused() -> None:
    with pytest.raises((InputMissingError, TransferError), match=r"is no valid URL|something other than http or https"):
        fetch("file:///etc/passwd")


def test_credentials_are_sent_but_appear_in_no_message(site: Site) -> None:
    with_password = site.url.replace("//", f"//ada:{SECRET}@")
    assert fetch(f"{with_password}/x.fits?token={SECRET}") == CONTENT
    assert (site.authorizations[-1] or "").startswith("Basic ")
    for path in ("/status/404", "/status/500", "/loop", "/to-file"):
        with pytest.raises(NovaError, match=r"//\*\*\*@") as caught:
            fetch(f"{with_password}{path}?token={SECRET}")
        assert SECRET not in str(caught.value)


# --- What a policy forbids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0", "127.1", "[::ffff:127.0.0.1]"]
)
def test_a_strict_policy_reaches_no_server_on_this_machine(site: Site, host: str) -> None:
    """However its address is spelled."""
    port = site.url.rpartition(":")[2]
    with pytest.raises(DeniedError, match="leads to a network address that may not be reached"):
        fetch(f"http://{host}:{port}/x.fits", STRICT)
    assert site.hosts == ()


def test_the_default_policy_is_strict(site: Site) -> None:
    with pytest.raises(DeniedError, match="may not be reached"):
        fetch(site.url + "/x.fits", UrlPolicy())
    assert site.hosts == ()


def test_a_policy_reaches_the_ranges_that_it_names(site: Site) -> None:
    assert fetch(site.url + "/x.fits", LOOPBACK) == CONTENT


def test_a_redirect_cannot_lead_to_a_forbidden_address(site: Site) -> None:
    """From an allowed address to another one of this machine."""
    site.target = site.url.replace("127.0.0.1", "127.0.0.2") + "/x.fits"
    with pytest.raises(DeniedError, match=r"/away leads to a network address that may not be reached"):
        fetch(site.url + "/away", LOOPBACK)
    assert len(site.hosts) == 1


def test_a_redirect_cannot_lead_to_a_forbidden_port_or_host(site: Site) -> None:
    port = int(site.url.rpartition(":")[2])
    site.target = "http://127.0.0.1:1/x.fits"
    with pytest.raises(DeniedError, match="leads to a host or port that may not be reached"):
        fetch(site.url + "/away", dataclasses.replace(LOOPBACK, ports=frozenset({port})))
    site.target = f"http://localhost:{port}/x.fits"
    with pytest.raises(DeniedError, match="leads to a host or port that may not be reached"):
        fetch(site.url + "/away", dataclasses.replace(LOOPBACK, hosts=frozenset({"127.0.0.1"})))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1\\@localhost:{}/x.fits", "http://127.0.0.1#@localhost:{}/", "http://127.0.0.1:80@localhost:{}/"],
)
def test_an_odd_url_cannot_get_around_the_allowed_hosts(site: Site, url: str) -> None:
    """However programs take it apart."""
    policy = dataclasses.replace(STRICT, hosts=frozenset({"127.0.0.1"}), networks=LOOPBACK.networks)
    with pytest.raises((DeniedError, TransferError, InputMissingError)):
        fetch(url.format(site.url.rpartition(":")[2]), policy)
    assert all(not host.startswith("localhost") for host in site.hosts)


def test_a_policy_can_forbid_unencrypted_connections(site: Site) -> None:
    with pytest.raises(TransferError, match="leads to something other than https"):
        fetch(site.url + "/x.fits", dataclasses.replace(LOOPBACK, schemes=frozenset({"https"})))
    assert site.hosts == ()


def test_a_name_with_a_forbidden_address_is_refused(site: Site, resolve: Resolve) -> None:
    resolve(rebind_example=["127.0.0.1"])
    with pytest.raises(DeniedError, match="network address"):
        fetch(site.url.replace("127.0.0.1", "rebind.example") + "/x.fits", STRICT)
    assert site.hosts == ()


def test_a_name_is_looked_up_once_for_each_connection(
    site: Site, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that gets a forbidden address after the check leads to the checked address all the same."""
    resolve(rebind_example=["8.8.8.8", "127.0.0.1"])
    targets: list[object] = []

    def connect(target: tuple[str, int], *_: object) -> socket.socket:
        targets.append(target[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(http, "create_connection", connect)
    with pytest.raises(TransferError, match="the connection failed"):
        fetch(site.url.replace("127.0.0.1", "rebind.example") + "/x.fits", STRICT)
    assert targets == ["8.8.8.8"]


def test_a_name_that_changes_its_address_before_a_redirect_is_checked_again(site: Site, resolve: Resolve) -> None:
    resolve(rebind_example=["127.0.0.1", "127.0.0.2"], other_example=["127.0.0.2"])
    port = site.url.rpartition(":")[2]
    site.target = f"http://other.example:{port}/x.fits"
    with pytest.raises(DeniedError, match="network address"):
        fetch(f"http://rebind.example:{port}/away", LOOPBACK)
    assert site.hosts == (f"rebind.example:{port}",)


def test_only_the_allowed_addresses_of_a_name_are_tried(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(_host: str, port: int, **_: object) -> list[object]:
        kinds = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kinds, (address, port)) for address in ("10.0.0.1", "127.0.0.2", "127.0.0.1")]

    with monkeypatch.context() as patched:
        patched.setattr(http.socket, "getaddrinfo", look_up)
        patched.setattr(http, "create_connection", _connect_without_lookup)
        assert fetch(site.url.replace("127.0.0.1", "three.example") + "/x.fits", LOOPBACK) == CONTENT


def _connect_without_lookup(target: tuple[str, int], *_: object) -> socket.socket:
    assert target[0] == "127.0.0.1"
    connected = socket.socket()
    connected.connect(target)
    return connected


def test_a_strict_policy_uses_no_proxy_of_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look names up by itself."""
    monkeypatch.setenv("http_proxy", site.url)
    with pytest.raises(DeniedError, match="network address"):
        fetch("http://127.0.0.2:9/x.fits", STRICT)
    assert site.hosts == ()
    assert fetch("http://127.0.0.2:9/x.fits", USER_POLICY) == CONTENT


# --- Encrypted connections ------------------------------------------------------------------------------------------


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def tls_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server with a certificate for ``good.example`` that is trusted here."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate of this test, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=good.example", "-addext", "subjectAltName=DNS:good.example"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = [openssl, "req", *kind, "-keyout", str(key), "-out", str(certificate), *names]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with QuietServer(("127.0.0.1", 0), _Hello) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_certificate_is_checked_by_the_name_and_not_by_the_address(tls_port: int, resolve: Resolve) -> None:
    """The connection goes to a checked address; the server must still prove that it has the name."""
    resolve(good_example=["127.0.0.1"], other_example=["127.0.0.1"])
    assert fetch(f"https://good.example:{tls_port}/") == b"hello"
    with pytest.raises(TransferError, match="certificate is not accepted"):
        fetch(f"https://other.example:{tls_port}/")
