"""The pages of the web service in a real browser, with a real worker: what people do, from upload to result."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
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
SERIOUS = {"serious", "critical"}


def sign_in(page: Page, service: Service) -> Page:
    page.goto("/sign-in")
    page.get_by_label("API key").fill(service.key)
    page.get_by_role("button", name="Sign in with the key").click()
    expect(page).to_have_url(re.compile("/mine$"))
    return page


def upload(page: Page, *files: Path) -> None:
    page.goto("/")
    page.get_by_label("Choose pictures").set_input_files(files)
    page.get_by_role("button", name="Solve").click()


@pytest.fixture(scope="module")
def solved(service: Service, drawn_sky: Path) -> str:
    """The address of the page of a solved public picture of ``ada``."""
    import requests

    base = f"{service.url}/api"
    session = requests.post(f"{base}/login", {"request-json": f'{{"apikey": "{service.key}"}}'}, timeout=30).json()
    fields = {"request-json": f'{{"session": "{session["session"]}", "publicly_visible": "y"}}'}
    with drawn_sky.open("rb") as stream:
        sent = requests.post(f"{base}/upload", fields, files={"file": ("sky.fits", stream)}, timeout=30).json()
    while True:
        found = requests.get(f"{base}/submissions/{sent['subid']}", timeout=30).json()
        if found["processing_finished"] != "None":
            return f"/user_images/{found['user_images'][0]}"


@pytest.mark.parametrize("javascript", [True, False])
def test_from_upload_to_result(visitor: Callable[..., Page], drawn_sky: Path, javascript: bool) -> None:
    page = visitor("/", java_script_enabled=javascript)
    upload(page, drawn_sky)
    page.wait_for_url(RESULT, timeout=SOLVED_MS)
    expect(page.get_by_role("table", name="Calibration")).to_contain_text("Right ascension")
    with page.expect_download() as download:
        page.get_by_role("link", name="WCS (FITS header)").click()
    assert b"CRVAL1" in Path(download.value.path()).read_bytes()


def test_by_keyboard_alone(visitor: Callable[..., Page], drawn_sky: Path) -> None:
    page = visitor("/")
    page.get_by_label("Choose pictures").set_input_files(drawn_sky)
    page.get_by_label("Choose pictures").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Solve":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(RESULT, timeout=SOLVED_MS)


def test_several_files_are_followed_together(visitor: Callable[..., Page], service: Service, drawn_sky: Path) -> None:
    page = sign_in(visitor("/sign-in"), service)
    upload(page, drawn_sky, Path(__file__))
    page.wait_for_url(re.compile("/progress"))
    expect(page.get_by_role("heading")).to_have_text("2 pictures")
    expect(page.get_by_text("not readable")).to_be_visible(timeout=SOLVED_MS)
    expect(page.get_by_text("solved", exact=True)).to_be_visible(timeout=SOLVED_MS)


def seconds(text: str) -> float:
    """Return the first time in a text in seconds."""
    found = re.search(r"(\d\d):(\d\d):([\d.]+)", text)
    assert found is not None
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


@pytest.mark.parametrize("javascript", [True, False])
def test_layers_are_switched(visitor: Callable[..., Page], solved: str, javascript: bool) -> None:
    page = visitor(solved, java_script_enabled=javascript)
    layer = page.locator(".layer-objects")
    expect(layer).to_be_visible()
    page.get_by_label("objects", exact=True).uncheck()
    expect(layer).to_be_hidden()
    page.get_by_label("matched stars").check()
    expect(page.locator(".layer-matches")).to_be_visible()
    assert page.locator(".stack img").first.evaluate("image => image.naturalWidth") == 1200


def test_the_pointer_shows_the_place_on_the_sky(visitor: Callable[..., Page], solved: str) -> None:
    page = visitor(solved)
    row = page.get_by_role("row", name=re.compile("Right ascension"))
    box = page.locator(".stack").bounding_box()
    assert box is not None
    with page.expect_response(re.compile("/view/")):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + box["height"] / 2)
    place = page.locator("[data-place]")
    expect(place).to_contain_text("RA 05:")
    assert seconds(place.inner_text()) == pytest.approx(seconds(row.inner_text()), abs=5)  # two pixels of 35″


def test_the_owner_shares_solves_again_and_deletes(
    visitor: Callable[..., Page], service: Service, drawn_sky: Path
) -> None:
    page = sign_in(visitor("/sign-in"), service)
    upload(page, drawn_sky)
    page.wait_for_url(RESULT, timeout=SOLVED_MS)
    address = page.url
    stranger = visitor(address)
    page.get_by_text("Share or delete it").click()
    page.get_by_role("button", name="Make it private").click()
    stranger.reload()
    expect(stranger.get_by_role("heading")).to_have_text("Not possible")
    page.get_by_text("Solve it again").first.click()
    page.get_by_role("button", name="Solve it again").click()
    page.wait_for_url(RESULT, timeout=SOLVED_MS)
    assert page.url != address
    page.goto(address)
    page.get_by_text("Share or delete it").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page).to_have_url(re.compile("/mine$"))
    page.goto(address)
    expect(page.get_by_role("heading")).to_have_text("Not possible")


def test_sign_up_key_and_sign_out(visitor: Callable[..., Page]) -> None:
    page = visitor("/sign-up")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_label("Password confirmation").fill("correct horse battery")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_label("Name of the new key").fill("laptop")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("status")).to_contain_text(re.compile("[a-z]{16}"))
    page.get_by_role("button", name="Sign out").click()
    page.goto("/mine")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/mine$"))


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", WIDTHS_PX)
def test_every_page_is_accessible_and_fits(
    visitor: Callable[..., Page], service: Service, solved: str, width: int, scheme: str
) -> None:
    page = sign_in(visitor("/sign-in", viewport={"width": width, "height": 900}, color_scheme=scheme), service)
    for path in "/", solved, f"{solved}/objects", "/mine", "/public", "/keys", "/account", "/sign-in", "/nosuch":
        page.goto(path, wait_until="networkidle")
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], path) for rule in found if rule["impact"] in SERIOUS] == []
