"""The addresses of web services."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from novacli.errors import UsageError
from novacli.files.urls import mask_credentials
from novacli.jobs.remote import RemoteJob, damaged_remote
from novacli.text.printable import printable_line
from solvehost.record import record

#: The name of the public service, and its address.
NOVA, _NOVA_URL = "nova", "https://nova.astrometry.net/api/"


@record
class Service:
    """A web service: the name by which the user knows it, and the address of its API, which ends in ``/api/``."""

    name: str
    url: str

    @property
    def root(self) -> str:
        """The address below which result files are."""
        return self.url.removesuffix("api/")


def base_url(text: str) -> str:
    """Return the address of the API for what a user typed, such as ``https://host`` or ``https://host/api``.

    Raises
    ------
    UsageError
        If it is no such address, or has a user name or password in it.
    """
    if text == NOVA:
        return _NOVA_URL
    shown = printable_line(mask_credentials(text))
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not port_is_valid or parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise UsageError(f"{shown} is no address of a web service: write it like https://nova.example.org")
    if parts.username or parts.password:
        raise UsageError(f"{shown}: leave user and password out of the address, and give the API key by nova login")
    path = parts.path.rstrip("/")
    path = path if path.endswith("/api") else f"{path}/api"
    return f"{parts.scheme}://{parts.netloc}{path}/"


def resolve(place: str, hosts: Mapping[str, str]) -> Service:
    """Return the service that a place denotes: ``nova``, an address, or a name known to ``nova hosts``.

    Raises
    ------
    UsageError
        If it denotes several places, or none.
    """
    if "," in place:
        raise UsageError(f"{printable_line(place)}: give one web service")
    return Service(place, base_url(hosts.get(place, place)))


def service_of_job(remote: RemoteJob) -> Service:
    """Return the service with which a job was left.

    Raises
    ------
    DataError
        If the record of the job is damaged.
    """
    try:
        return Service(remote.place, base_url(remote.reference["url"]))
    except (KeyError, TypeError, AttributeError, UsageError) as exc:
        raise damaged_remote(remote.job) from exc
