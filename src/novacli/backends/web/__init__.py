"""Web services with the API of nova.astrometry.net, nova's own ``nova-web`` among them.

services    the addresses that ``--to`` denotes
keys        where API keys are kept
client      the calls of the API over HTTP, with retries
request     a job → the star list and the fields of an upload
uploads     what was uploaded and is not finished, so that nothing is uploaded twice
solving     uploads a job, waits, and puts the result into the job directory
backend     the backend: solving, and jobs left with a service
checks      what ``nova hosts check`` looks at

This module defines what the registry calls, and imports the rest when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from novacli.backends.base import Backend, JobKeeper
    from novacli.config import Config
    from novacli.jobs.remote import RemoteJob
    from novacli.records.check import Check


def connect(config: Config, place: str) -> Backend:
    """Return the backend of the service that ``place`` denotes; see :func:`novacli.backends.connect`."""
    from novacli.backends.hosts import read_hosts
    from novacli.backends.web.backend import WebBackend
    from novacli.backends.web.services import resolve

    return WebBackend(resolve(place, read_hosts(config)), config)


def of_job(config: Config, remote: RemoteJob) -> JobKeeper:
    """Return the backend of the service with which a job was left; see :func:`novacli.backends.of_job`."""
    from novacli.backends.web.backend import WebBackend
    from novacli.backends.web.services import service_of_job

    return WebBackend(service_of_job(remote), config)


def check_place(config: Config, place: str) -> Iterator[tuple[str, Iterator[Check]]]:
    """Yield a service with its checks; see :func:`novacli.backends.check_place`."""
    from novacli.backends.hosts import read_hosts
    from novacli.backends.web.checks import check_service
    from novacli.backends.web.services import resolve

    service = resolve(place, read_hosts(config))
    yield service.name, check_service(service, config)


def check_destination(text: str) -> str:
    """Return ``text`` if it is the address of a service; see :func:`novacli.backends.kinds.check_destination`."""
    from novacli.backends.web.services import base_url

    base_url(text)
    return text
