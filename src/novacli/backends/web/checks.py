"""What ``nova hosts check`` looks at in a web service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from novacli.backends.web.client import ApiClient
from novacli.backends.web.keys import find_key
from novacli.backends.web.services import Service
from novacli.config import Config
from novacli.errors import DeniedError, NovaError
from novacli.records.check import Check

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_service(service: Service, config: Config) -> Iterator[Check]:
    """Yield the checks of a service: its address, the key, and what the service can do."""
    client = ApiClient(service, lambda: find_key(service, config))
    parts = urlsplit(service.url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        yield Check("encryption", None, f"{service.url}: the key and the stars are sent in clear", "use https")
    began = time.monotonic()
    try:
        client.login()
    except DeniedError as exc:
        yield Check("API key", False, str(exc), exit_code=exc.exit_code)
        return
    except NovaError as exc:
        yield Check("connection", False, str(exc), "check the address and the network", exc.exit_code)
        return
    yield Check("connection", True, f"{service.url} answers in {time.monotonic() - began:.2f} s")
    yield Check("API key", True, "it is accepted")
    try:
        jobs = client.call("myjobs").get("jobs")
    except NovaError as exc:
        yield Check("jobs", None, str(exc), "uploads whose answer was lost cannot be found again")
        return
    count = len(jobs) if isinstance(jobs, list) else 0
    yield Check("jobs", True, f"{count} jobs of yours are there")
