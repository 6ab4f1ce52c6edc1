"""The documentation tells of all there is, of nothing else, and its links and commands work."""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import novacli
from novacli import errors
from novacli.cli.main import COMMANDS, cli
from novacli.config import KEYS
from novacli.demo.drawing import Truth
from novacli.exports.registry import all_exports
from novacli.jobs.summaries import STATES, JobSummary
from novacli.records.calibration import Calibration, Match
from novacli.records.result import ErrorRecord, Result
from novacli.rigs.store import Rig
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import AttemptOutcome, RaceResult
from solvehost.formats import axy, jobdir
from solvehost.server import settings as solvehost_settings

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z0-9][\w-]*")


def _page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """Return heading → text up to the next heading of the same or a higher level."""
    heads = list(re.finditer(r"^(#+) (.+)$", _FENCE.sub("", text), re.MULTILINE))
    bare = _FENCE.sub("", text)
    sections = {}
    for i, head in enumerate(heads):
        later = (h.start() for h in heads[i + 1 :] if len(h[1]) <= len(head[1]))
        sections[head[2].strip()] = bare[head.start() : next(later, len(bare))]
    return sections


def _table_keys(text: str) -> set[str]:
    """Return what stands in backticks in the first column of the tables."""
    rows = re.findall(r"^\| ([^|]*(?:\\\|[^|]*)*) \|", text, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`([^`]+)`", row)}


def _commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the section of cli.md that is about it."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((name, sub) for sub in command.commands.values())


def _blocks(language: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for indent, found, body in _FENCE.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield page, "".join(line.removeprefix(indent) for line in body.splitlines(keepends=True))


# --- Commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described_under_its_command_and_no_other(name: str) -> None:
    """cli.md has, under each command, the options that it takes; none is left from an earlier version."""
    section = _sections(_page("cli.md"))[f"nova {name}"]
    params = [p for n, command in _commands() if n == name for p in command.params if isinstance(p, click.Option)]
    taken = {opt for p in params for opt in (*p.opts, *p.secondary_opts)}
    described = {opt for key in _table_keys(section) for opt in _OPTION.findall(key)}
    assert described == taken


def test_options_of_nova_itself_are_described() -> None:
    """The group's own options and --help stand at the top of cli.md."""
    opening = _page("cli.md").partition("\n## ")[0]
    for param in cli.params:
        assert all(f"`{opt}`" in opening for opt in param.opts)
    assert "`--help`" in opening


def test_choices_are_described() -> None:
    """Every word that an option chooses from stands in its command's section."""
    for name, command in _commands():
        section = _sections(_page("cli.md"))[f"nova {name}"]
        for param in command.params:
            if isinstance(param.type, click.Choice):
                missing = [word for word in param.type.choices if word not in section]
                assert not missing, (name, param.name)


def _command_lines() -> list[tuple[str, str]]:
    lines = [(page, line.removeprefix("$ ")) for lang in ("sh", "console") for page, body in _blocks(lang)
             for line in body.splitlines()]  # fmt: skip
    return [(str(page.relative_to(ROOT)), line) for page, line in lines if line.startswith(("nova ", "scripts/"))]


@pytest.mark.parametrize(("page", "line"), _command_lines())
def test_commands_shown_are_understood(page: str, line: str) -> None:
    """A command line in a fenced block names a command and options that there are."""
    program, *words = shlex.split(line, comments=True)
    words = words[: next((i for i, word in enumerate(words) if word.startswith((">", "|"))), None)]
    if program != "nova":
        assert os.access(ROOT / program, os.X_OK)
        return
    command: click.Command = cli
    context = click.Context(cli, info_name="nova")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"{page}: {line}"
        command = found
    command.make_context("nova", words, parent=context).close()


# --- What programs read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error") and name != "NovaError"])
def test_every_error_is_in_the_exit_codes(name: str) -> None:
    """exit-codes.md has a row with each error's code and name."""
    assert f"| {getattr(errors, name).exit_code} | `{name}` |" in _page("exit-codes.md")


@pytest.mark.parametrize("code", [0, 1, 130])
def test_exit_codes_without_an_error_are_described(code: int) -> None:
    """Solved, unsolved and interrupted have their rows."""
    assert f"| {code} | |" in _page("exit-codes.md")


def _fields(kind: type) -> set[str]:
    return {f.name for f in dataclasses.fields(kind)}


def test_every_key_of_a_result_is_described() -> None:
    """json.md lists the keys of a result and of the objects in it, and no key that there is not."""
    sections = _sections(_page("json.md"))
    top = sections["nova submit --json"].partition("\n### ")[0]
    assert _table_keys(top) == {"schema", *_fields(Result)}
    assert _table_keys(sections["calibration"]) == _fields(Calibration)
    assert _table_keys(sections["error"]) == _fields(ErrorRecord)
    assert _table_keys(sections["match"]) == _fields(Match) - {"index_id"}
    assert {"label", "outcome", "seconds", "cpu_s"} == _fields(AttemptOutcome) - {"number"}
    assert all(f"`{name}`" in sections["timing"] for name in _fields(AttemptOutcome) - {"number"})


def test_every_file_that_a_result_names_is_described() -> None:
    """json.md lists the directory, the log and every export, and nothing else."""
    names = {export.name for export in all_exports()}
    assert _table_keys(_sections(_page("json.md"))["files"]) == {"directory", "log", *names}


def test_every_key_of_a_job_list_is_described() -> None:
    """json.md lists what nova jobs --json prints."""
    job = JobSummary("id", "solved", "in", "", 0.0, 0.0)
    section = _sections(_page("json.md"))["nova jobs --json"]
    assert _table_keys(section) == set(job.to_json())
    assert all(f"`{state}`" in section for state in STATES)


def test_every_key_of_a_rig_is_described() -> None:
    """json.md lists what nova rigs list --json prints."""
    assert _table_keys(_sections(_page("json.md"))["nova rigs list --json"]) == _fields(Rig)


def test_every_key_of_a_drawing_is_described() -> None:
    """json.md lists what nova demo --json prints."""
    assert _table_keys(_sections(_page("json.md"))["nova demo --json"]) == _fields(Truth)


def test_every_setting_is_described() -> None:
    """configuration.md has a row for each key with its variable and, where there is one, its option."""
    rows = {row[0]: row for row in re.findall(r"^\| `(\w+)` \| `(\w+)` \|", _page("configuration.md"), re.MULTILINE)}
    assert {name: row[1] for name, row in rows.items()} == {key.name: key.variable for key in KEYS}


def test_every_environment_variable_is_described() -> None:
    """Each NOVA_ variable that the code or the tests name is in configuration.md."""
    sources = [p.read_text(encoding="utf-8") for d in ("src", "tests") for p in (ROOT / d).rglob("*.py")]
    named = set(re.findall(r"\"(NOVA_[A-Z]+(?:_[A-Z]+)*)\"", "\n".join(sources)))
    assert named
    assert {name for name in named if f"`{name}`" not in _page("configuration.md")} == set()


def test_every_axy_card_is_described() -> None:
    """axy.md lists each card that is written or read, numbers at its end as n."""
    full = axy.Attempt(
        width=2, height=2, stars=axy.Stars.from_bytes(*[bytes(16)] * 3), scales_arcsec_per_pixel=(axy.Range(1, 2),),
        center_deg=(1, 1), radius_deg=1, parity=1, crpix_center=True, code_tolerance=0.01, cpu_limit_s=1,
        odds_to_solve=1e9, odds_to_keep=1e9, position_error_px=1, quad_fraction=axy.Range(0.1, 1),
        verify_uniformize=True, verify_dedup=False, verify_wcs=(1.0,) * 8,
        schedule=axy.Schedule(quads_arcmin=axy.Range(1, 2), slice_s=1, label="x"),
    )  # fmt: skip
    written = re.findall(rb"(?:AN|NV|IMAGE)[A-Z0-9]*(?= *= )", axy.to_bytes(full))
    read = re.findall(r'"((?:AN|NV|IMAGE)[A-Z]+)"', Path(axy.__file__).read_text(encoding="utf-8"))
    cards = {word.decode() for word in written} | set(read)
    described = _table_keys(_page("axy.md"))
    assert {c for c in cards if c not in described and re.sub(r"\d$", "n", c) not in described} == set()


def test_every_file_and_key_of_a_job_directory_is_described(tmp_path: Path) -> None:
    """job-directory.md names the files, and the keys of the manifest."""
    page = _page("job-directory.md")
    names = (
        jobdir.REQUEST,
        jobdir.RESULT,
        jobdir.MANIFEST,
        jobdir.LOCK,
        jobdir.LOG,
        *jobdir.OUTPUTS,
        jobdir.axy_name(1),
    )
    assert [name for name in names if f"`{name}`" not in page] == []
    assert f"`{jobdir.axy_name(jobdir.MAX_ATTEMPTS)}`" in page
    assert jobdir.ID_PATTERN.pattern in page
    race = RaceResult("unsolved", "exhausted", None, (), (), (), 0.0, 0.0)
    manifest = build_manifest(jobdir.JobDir(tmp_path), race, engine="e")
    assert _table_keys(_sections(page)["manifest.json"]) == set(manifest)


def test_states_are_described() -> None:
    """job-directory.md says how each state is told."""
    assert _table_keys(_sections(_page("job-directory.md"))["States"]) == set(STATES)


# --- Python -------------------------------------------------------------------------------------------------------


def test_parameters_and_answers_of_solve_are_described() -> None:
    """The how-to lists every field of SolveParams, and what answers have."""
    page = (ROOT / "docs" / "howto" / "python-api.md").read_text(encoding="utf-8")
    sections = _sections(page)
    assert _table_keys(sections["Parameters"]) >= _fields(novacli.SolveParams)
    answers = (novacli.SolveResult, novacli.Solution)
    members = {name for kind in answers for name in {*dir(kind), *_fields(kind)} if not name.startswith("_")}
    assert {key.removesuffix("()") for key in _table_keys(sections["What comes back"])} >= members


@pytest.mark.parametrize(("page", "code"), list(_blocks("python")))
def test_python_shown_is_python(page: Path, code: str) -> None:
    """Python in fenced blocks parses, and what it imports from novacli is there."""
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    for node in imports:
        if node.module == "novacli":
            assert {alias.name for alias in node.names} <= set(novacli.__all__), page


@pytest.mark.parametrize(("page", "text"), list(_blocks("toml")))
def test_configuration_shown_is_understood(page: Path, text: str) -> None:
    """TOML in fenced blocks has known keys and values that their settings accept."""
    keys = solvehost_settings.KEYS if text.startswith("# /etc/solvehost.toml") else KEYS
    by_name = {key.name: key for key in keys}
    for name, value in tomllib.loads(text).items():
        by_name[name].parse(value)


# --- Links --------------------------------------------------------------------------------------------------------


def _links() -> list[tuple[str, str]]:
    return [
        (str(page.relative_to(ROOT)), target)
        for page in PAGES
        for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
        if "://" not in target
    ]


def _anchor(heading: str) -> str:
    """Return the anchor that a heading gets: lower case, words joined by hyphens, punctuation dropped."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(("page", "target"), _links())
def test_links_lead_somewhere(page: str, target: str) -> None:
    """A relative link names a file of the project, and its anchor a heading there."""
    path, _, anchor = target.partition("#")
    found = (ROOT / page).parent / path if path else ROOT / page
    assert found.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {_anchor(heading) for heading in headings}


#: Pages that only the site has: its start, and the files of the root that it includes.
SITE_PAGES = {"docs/index.md", "docs/changelog.md", "docs/contributing.md"}


def test_every_page_is_in_the_contents_of_the_site() -> None:
    """Sphinx warns of a page that is in no table of contents; this says so sooner."""
    contents = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines()
    pages = {str(p.relative_to(ROOT / "docs").with_suffix("")) for p in (ROOT / "docs").rglob("*.md")}
    assert pages - set(contents) == {"index"}


def test_every_page_is_linked_from_the_readme() -> None:
    """A reader of the repository finds every page of the documentation."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")]
    assert [p for p in pages if f"({p})" not in readme and p not in SITE_PAGES] == []
