"""The page in a real browser: at the widths of a phone, a tablet, a laptop and a desktop every value can be read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import made_entries as made
import pytest

from novacli.batch.reports import Summary, write_report

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS_PX = (390, 768, 1366, 1920)
#: Writes the sizes of elements into the page.  A value is cut off if its content is wider than its cell.
MEASURE = """
const boxes = (section, cells) => [...document.querySelectorAll(`.${section} tbody ${cells}`)].map(cell => ({
  text: cell.textContent, width: cell.getBoundingClientRect().width, height: cell.getBoundingClientRect().height,
  cut: cell.scrollWidth > cell.clientWidth + 1}));
const measured = {window: innerWidth, page: document.documentElement.scrollWidth};
for (const section of ["problems", "solutions"]) {
  measured[section] = {files: boxes(section, "td.path"), cells: boxes(section, "td"), rows: boxes(section, "tr")};
}
parent.document.body.textContent = JSON.stringify(measured);
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


def measured(page: Path, width_px: int) -> dict[str, Any]:
    """Return the sizes that ``MEASURE`` finds where the page is shown in a frame of some width.

    Chromium's windows are 500 pixels wide at least; frames may be narrower.
    """
    text = re.sub(r"<meta http-equiv=.*?>", "", page.read_text(encoding="utf-8"))
    text = text.replace("</body>", f"<script>{MEASURE}</script></body>")
    outer = page.with_name(f"measured-{width_px}.html")
    frame = f'<iframe style="border: 0; width: {width_px}px; height: 900px" srcdoc="{escape(text)}"></iframe>'
    outer.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{frame}</body>', encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}",
               "--window-size=2000,1000", "--virtual-time-budget=10000", "--dump-dom"]  # fmt: skip
    ran = subprocess.run(
        [str(BROWSER), *options, outer.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    body = re.search(r"<body>(.*)</body>", ran.stdout, re.DOTALL)
    assert body is not None
    found: dict[str, Any] = json.loads(unescape(body[1]))
    assert found["window"] == width_px
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a page with ordinary frames, a long name without blanks and a long error."""
    night = "/home/observer/pictures/2026-03-04"
    long_name = f"{night}/{'M31_Andromeda_' * 6}0001.fits"
    entries = [made.solved(f"{night}/Light_M31_300.0s_{number:04d}.fits") for number in range(20)]
    entries += [made.solved(long_name, job="164794b0e97ce92e"), made.unsolved(f"{night}/dark.fits"),
                made.failed(f"{night}/flat.fits", "it is cut short after 2,880 bytes: copy it again")]  # fmt: skip
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(entries, Summary(night, 3725.0, made_s=made.FINISHED_S), path)
    return path


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_every_value_can_be_read_at_this_width(page: Path, width_px: int) -> None:
    """File names have room, no value is cut off, and the page does not scroll sideways."""
    sizes = measured(page, width_px)
    assert sizes["page"] <= width_px
    for section, frames in (("problems", 2), ("solutions", 21)):
        assert len(sizes[section]["files"]) == frames
        assert min(box["width"] for box in sizes[section]["files"]) >= 150
        assert [box["text"] for box in sizes[section]["cells"] if box["cut"]] == []
        # Two lines at most for an ordinary frame in a table; a card on a phone has about six.
        assert sizes[section]["rows"][0]["height"] < (60 if width_px >= 1280 else 250)
