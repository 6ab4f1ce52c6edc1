"""The page: its content, that it needs no other file, and that it runs no text from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import made_entries as made
import pytest

from novacli.batch.records import LedgerEntry
from novacli.batch.reports import Summary, write_report
from novacli.batch.reports.page import duration_text
from novacli.reports.results.table import REASONS
from novacli.text.printable import printable_line

VOID = {"meta", "br"}
URL_ATTRIBUTES = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "background"}


class Page(HTMLParser):
    """A parsed page: elements with their attributes, texts by element, rows of tables; elements must nest properly."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), tag
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def inside(self, tag: str) -> str:
        return "".join(data for inner, data in self.texts if inner == tag)

    def rows_headed(self, *heads: str) -> list[list[str]]:
        """Return the rows of all tables whose headings begin with ``heads``."""
        found, wanted = [], False
        for row in self.rows:
            if row[0] in ("file", "folder"):
                wanted = row[: len(heads)] == list(heads)
            elif wanted:
                found.append(row)
        return found


def page_of(entries: list[LedgerEntry], directory: Path, summary: Summary | None = None) -> Page:
    path = directory / "report.html"
    write_report(entries, summary or Summary("/data", 3725.0, made_s=made.FINISHED_S), path)
    return Page(path.read_bytes().decode("utf-8"))


def summary_text(page: Page) -> str:
    found = re.search(r'<p class="summary">(.*?)</p>', page.text)
    assert found is not None
    return re.sub("<.*?>", "", found[1])


def test_summary_counts_the_frames_of_each_fate(tmp_path: Path) -> None:
    page = page_of(made.every_fate(), tmp_path)
    assert summary_text(page) == (
        "6 frames: 1 solved, 1 unsolved, 1 failed, 1 to be tried again, 1 waiting, 1 gone; 1 h 2 min."
    )
    assert "Made 2026-03-04 05:06:07 UTC." in page.text


def test_empty_batch_has_a_summary_and_no_tables(tmp_path: Path) -> None:
    page = page_of([], tmp_path, Summary(""))
    assert summary_text(page) == "0 frames: 0 solved."
    assert page.inside("h1") == "Frames"
    assert {"table", "svg"} & {tag for tag, _ in page.elements} == set()


def test_unsolved_frames_come_first_and_failed_ones_before_them(tmp_path: Path) -> None:
    page = page_of([made.solved("/n/0.fits"), *made.every_fate(), made.failed("/n/z.fits")], tmp_path)
    rows = page.rows_headed("file", "fate", "why")
    assert [row[:4] for row in rows] == [
        ["c.fits", "failed", "it is no image", "2"],
        ["z.fits", "failed", "it is no image", "2"],
        ["b.fits", "unsolved", REASONS["exhausted"][0], "2"],
        ["d.fits", "to be tried again", "disk full", "2"],
        ["e.fits", "waiting", "", "0"],
        ["f.fits", "gone", "", "0"],
    ]
    assert page.text.index("Not solved <small>6") < page.text.index("Solved <small>2")


def test_solved_frame_shows_its_calibration(tmp_path: Path) -> None:
    page = page_of([made.solved("/n/a.fits")], tmp_path)
    assert page.rows_headed("file", "RA °") == [
        ["a.fits", "187.19551", "-56.70230", "34.03 × 24", "170.4", "-118.35", "-1", "49", "0.50",
         "0.71", "1.25", "north", "2026-03-04 05:06:07", "0123"],
    ]  # fmt: skip


def test_page_names_no_folder_above_the_common_one(tmp_path: Path) -> None:
    """Frames, folders, title and errors have relative paths; other absolute paths lose their folders."""
    night = "/home/observer/pictures/night"
    elsewhere = made.failed(f"{night}/2/c.fits", "/srv/private/out.wcs: disk full")
    entries = [made.solved(f"{night}/1/a.fits"), made.failed(f"{night}/b.fits", f"{night}/b.axy is there"), elsewhere]
    page = page_of(entries, tmp_path, Summary(night))
    assert [row[0] for row in page.rows_headed("file")] == ["b.fits", "2/c.fits", "1/a.fits"]
    assert [row[2] for row in page.rows_headed("file", "fate")] == ["b.axy is there", "…/out.wcs: disk full"]
    assert [row[0] for row in page.rows_headed("folder")] == [".", "1", "2"]
    assert page.inside("h1") == "night"
    assert not re.search("observer|pictures|private|/jobs", page.text)


def test_missing_file_is_marked(tmp_path: Path) -> None:
    there = tmp_path / "there.fits"
    there.touch()
    page = page_of([made.gone("/n/0.fits"), made.solved("/n/a.fits"), made.solved(str(there))], tmp_path)
    classes = [attributes["class"] for tag, attributes in page.elements if tag == "tr" and "class" in attributes]
    assert classes == ["gone", "solved absent", "solved"]
    assert ".absent .path::after" in page.inside("style")


def test_solved_frame_whose_output_failed_is_on_the_map_and_among_the_problems(tmp_path: Path) -> None:
    error = {"message": "out.wcs: disk full", "exit_code": 73, "retry_is_safe": True}
    line = made.solved("/n/a.fits", error=error).line
    assert line is not None
    page = page_of([made.entry("/n/a.fits", "retriable", line)], tmp_path)
    assert page.rows_headed("file", "fate", "why")[0][1:3] == ["to be tried again", "out.wcs: disk full"]
    assert "Centres of 1 frame," in page.text


def test_folders_are_counted_by_fate(tmp_path: Path) -> None:
    page = page_of([*made.every_fate()[:3], made.unsolved("/m/x.fits"), made.unsolved("/m/y.fits")], tmp_path)
    assert page.rows_headed("folder", "solved", "unsolved", "failed") == [["m", "", "2", ""], ["n", "1", "1", "1"]]


def test_only_the_worst_of_many_folders_are_shown(tmp_path: Path) -> None:
    entries = [made.solved(f"/n/{number:03d}/a.fits") for number in range(300)]
    page = page_of([*entries, made.failed("/n/299/b.fits")], tmp_path)
    rows = page.rows_headed("folder")
    assert len(rows) == 201
    assert rows[-2] == ["299", "1", "1"]
    assert rows[-1] == ["100 other folders", "100", ""]


def test_no_table_has_more_than_500_rows(tmp_path: Path) -> None:
    page = page_of(list(made.many(1300)), tmp_path)
    blocks = page.text.split('<div class="block">')[1:]
    assert [block.count("<tr class=") for block in blocks] == [130, 500, 500, 170]
    paths = [row[0] for row in page.rows_headed("file", "RA °")]
    assert paths == [entry.path.removeprefix("/data/") for entry in made.many(1300) if entry.record.fate == "solved"]


HOSTILE = ("</td><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&amp;&lt;", "\udcff\udcfe",
           "a\x00\x1b[2J\n", "</title></style><script>", "javascript:alert(1)", "\u202egnp.fits",
           "'onclick='x")  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_text_from_outside_stays_text(name: str, tmp_path: Path) -> None:
    """With a hostile name everywhere, the page has the elements of one with a plain name, and shows the name."""

    def made_of(name: str) -> Page:
        files, match = {"log": f"/jobs/{name}/log"}, {**made.MATCH, "attempt": name}
        entries = [made.solved(f"/n/{name}/a.fits", files=files, match=match, server=name), made.failed(f"/n/{name}"),
                   made.unsolved(f"/n/{name}.fits", name), made.solved("/n/z.fits")]  # fmt: skip
        return page_of(entries, tmp_path, Summary(name))

    plain, page = made_of("x/y" if "/" in name else "x"), made_of(name)
    elements = [(tag, set(attributes)) for tag, attributes in page.elements]
    assert [tag for tag, _ in elements if tag not in ("tr", "td")] == [
        tag for tag, _ in plain.elements if tag not in ("tr", "td")
    ]
    assert {attribute for _, attributes in elements for attribute in attributes} == {
        attribute for _, attributes in plain.elements for attribute in attributes
    }
    assert page.inside("h1") == printable_line(name)
    assert f"{printable_line(name)}.fits" in [row[0] for row in page.rows_headed("file", "fate")]


def test_page_loads_nothing_and_runs_only_its_own_script(tmp_path: Path) -> None:
    page = page_of(made.every_fate(), tmp_path)
    assert not any(name in URL_ATTRIBUTES for _, attributes in page.elements for name in attributes)
    assert {"a", "link", "iframe", "object", "embed", "img", "base"} & {tag for tag, _ in page.elements} == set()
    assert "@import" not in page.text
    assert "url(" not in page.text
    assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a)
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a)
    script, style = (
        f"'sha256-{base64.b64encode(hashlib.sha256(page.inside(tag).encode()).digest()).decode()}'"
        for tag in ("script", "style")
    )
    assert policy == f"default-src 'none'; style-src {style}; script-src {script}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (200, "3 min 20 s"), (3599.7, "1 h 0 min"),
     (7500, "2 h 5 min"), (360_000, "100 h 0 min")],
)  # fmt: skip
def test_duration_text(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
