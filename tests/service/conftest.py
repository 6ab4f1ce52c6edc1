"""A web service with its worker, and Debian's Chromium, for the tests of the pages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_service import CHROMIUM, Service, run_module, running
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service in which everyone can make an account."""
    with running(tmp_path_factory.mktemp("service") / "web", NOVAWEB_SIGN_UP="open") as service:
        yield service


@pytest.fixture(scope="session")
def drawn_sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn picture of the sky."""
    path = tmp_path_factory.mktemp("sky") / "sky.fits"
    run_module({**os.environ}, "novacli", "demo", str(path))
    return path


# Of the module: while Playwright runs, Django refuses its database to other tests of the same process.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, driven by Playwright."""
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser, service: Service) -> Iterator[Callable[..., Page]]:
    """A function that opens a page of the service in a browser of its own.

    The test fails if a script fails, or if anything is against the content security policy.
    """
    problems: list[str] = []
    contexts: list[BrowserContext] = []

    def open_at(path: str, **options: object) -> Page:
        context = chromium.new_context(base_url=service.url, **{"viewport": {"width": 1366, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
        page.goto(path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert problems == []
