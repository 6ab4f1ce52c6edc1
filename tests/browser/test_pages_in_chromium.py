"""The pages of the web service in a real browser, with a real worker: what people do, from upload to result."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from made_service import CHROMIUM, Service
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.engine,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
RESULT = re.compile(r"/user_images/[0-9]+$")
SOLVED_MS = 60_000
WIDTHS_PX = (390, 768, 1366)


def sign_in(page: Page, service: Service) -> None:
    page.goto("/sign-in")
    page.get_by_label("API key").fill(service.key)
    page.get_by_role("button", name="Sign in with the key").click()
    expect(page).to_have_url(re.compile("/mine$"))


def upload(page: Page, *files: Path) -> None:
    page.goto("/")
    page.get_by_label("Choose pictures").set_input_files(files)
    page.get_by_role("button", name="Solve").click()


@pytest.mark.parametrize("javascript", [True, False])
def test_from_upload_to_result(visitor: Callable[..., Page], drawn_sky: Path, javascript: bool) -> None:
    page = visitor("/", java_script_enabled=javascript)
    upload(page, drawn_sky)
    page.wait_for_url(RESULT, timeout=SOLVED_MS)
    expect(page.get_by_role("table", name="Calibration")).to_contain_text("Right ascension")
    with page.expect_download() as download:
        page.get_by_role("link", name="WCS").click()
    assert b"CRVAL1" in Path(download.value.path()).read_bytes()
