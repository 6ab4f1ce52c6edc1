"""The contract of every export: what follows from its line in the registry, for a stand-in as for the others."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import made_results as made
import numpy as np
import pytest
from astropy.io import fits
from made_lines import problems

from novacli.batch.frames.output_paths import output_files
from novacli.batch.records import BatchOutputs, FrameFile
from novacli.cli import options
from novacli.cli.commands import batch, submit
from novacli.errors import OutputError, UnavailableError
from novacli.exports import registry
from novacli.exports.registry import Export, Need, SolvedField
from novacli.exports.request import OutputRequest, check_input, check_requests, write_outputs
from novacli.exports.targets import TargetExistsError
from novacli.inputs.kinds import FileInput
from novacli.records.field import Origin
from novacli.records.result import Result
from novacli.records.status import SOLVED
from novacli.solution.reading import read_solution
from solvehost.formats.jobdir import JobDir

WIDTH, HEIGHT = 60, 40
STANDIN = "standin_export"
NAMES = [*(export.name for export in registry.all_exports()), "standin_regions"]


@pytest.fixture(autouse=True)
def _with_standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add the stand-in by one line, and let the commands make their options again."""
    commands = (options, submit, batch)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "MODULES", [*registry.MODULES, STANDIN])
        for module in commands:
            importlib.reload(module)
        yield
    for module in commands:
        importlib.reload(module)


@pytest.fixture(params=NAMES)
def export(request: pytest.FixtureRequest) -> Export:
    return registry.export_named(request.param)


@pytest.fixture
def solved(tmp_path: Path) -> SolvedField:
    """An image that was solved, with all files of its job."""
    image = tmp_path / "img.fits"
    fits.PrimaryHDU(np.ones((HEIGHT, WIDTH), "u1")).writeto(image)
    job = JobDir(tmp_path / "job")
    job.path.mkdir()
    job.wcs.write_bytes(made.wcs_fits(WIDTH, HEIGHT))
    job.axy(1).write_bytes(made.table_fits(made.AXY_COLUMNS, [(1, 2, 3)]))
    solution = read_solution(job.path, is_fits_like=True)
    for name in ("corr.fits", "rdls.fits"):
        (job.path / name).write_bytes(made.table_fits(made.RDLS_COLUMNS, [(1, 2, 3)]))
    return SolvedField(Origin(str(image), str(image), "FITS", 0), job, 1, solution)


def _option(command: click.Command, export: Export) -> click.Option:
    (found,) = (p for p in command.params if isinstance(p, click.Option) and export.option in p.opts)
    return found


def test_submit_and_batch_have_its_option(export: Export) -> None:
    """With a file name for one image, and without a value for many; both say what is written."""
    one = _option(submit.command, export)
    many = _option(batch.command.commands["run"], export)
    assert (one.name, one.is_flag, many.name, many.is_flag) == (export.name, False, export.name, True)
    assert export.help in str(one.help)
    assert export.help in str(many.help)
    assert export.short is None or export.short in one.opts


def test_names_and_options_are_its_own(export: Export) -> None:
    """No two exports share a name, an option or an ending."""
    others = [other for other in registry.all_exports() if other is not export]
    for attribute in ("name", "option", "ending"):
        assert getattr(export, attribute) not in [getattr(other, attribute) for other in others]
    assert export.name.isidentifier()


def test_it_writes_one_whole_file(export: Export, solved: SolvedField, tmp_path: Path) -> None:
    """Nothing else appears beside it, remarks name it, and results list it under its name, as the schema allows."""
    target = tmp_path / "out" / "file"
    target.parent.mkdir()
    files, notes = write_outputs(OutputRequest({export.name: target}), solved, None)
    assert files == {export.name: str(target)}
    assert [note for note in notes if not note.startswith(str(target))] == []
    assert target.stat().st_size > 0
    assert list(target.parent.iterdir()) == [target]
    assert not [words for words in problems({"files": files}) if words.startswith(f"$.files.{export.name}")]
    assert not [words for words in problems({"files": files}) if "dditional" in words or "not match" in words]


def test_it_leaves_the_old_file_if_it_fails(
    export: Export, solved: SolvedField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OutputError, match="free some space"):
        write_outputs(OutputRequest({export.name: target}, overwrite=True), solved, None)
    assert target.read_text() == "old"


def test_it_replaces_nothing_without_overwrite(export: Export, solved: SolvedField, tmp_path: Path) -> None:
    """Neither when it is asked for, nor a file that came into being while the image was solved."""
    target = tmp_path / "file"
    target.write_text("old")
    request = OutputRequest({export.name: target})
    with pytest.raises(TargetExistsError, match=f"{export.option} .*file: the file exists already"):
        check_requests([FileInput("img.fits")], [request])
    with pytest.raises(TargetExistsError):
        write_outputs(request, solved, None)
    assert target.read_text() == "old"


def test_a_missing_package_is_found_before_the_image_is_solved(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novacli.exports.registry.find_spec", lambda _name: None)
    request = OutputRequest({export.name: tmp_path / "file"})
    check: Callable[[], None] = lambda: check_input(FileInput("img.fits"), request)  # noqa: E731
    if export.package is None:
        check()
    else:
        with pytest.raises(UnavailableError, match=rf"{export.option} needs .*pip install 'novacli\[{export.extra}\]'"):
            check()


def test_a_batch_names_its_file_after_the_frame(export: Export, tmp_path: Path) -> None:
    frame = FrameFile(str(tmp_path / "img.fits"), 1, 1)
    beside = output_files([frame], BatchOutputs((export.name,)))
    assert beside == {frame.path: ((export.name, str(tmp_path / f"img{export.ending}")),)}
    below = output_files([frame], BatchOutputs((export.name,), out_dir="/out"))
    assert below[frame.path][0][1] == ("/out/img.fits" if export.is_image_copy else f"/out/img{export.ending}")


def test_what_needs_the_image_says_so(export: Export, solved: SolvedField, tmp_path: Path) -> None:
    """An export that does not need the image works after it is gone."""
    Path(solved.origin.name).unlink()
    write: Callable[[], Any] = lambda: export.write(solved, tmp_path / "file")  # noqa: E731
    if export.needs is Need.IMAGE:
        with pytest.raises(Exception, match="is not there"):
            write()
    else:
        write()


def test_a_call_with_the_stand_in_writes_its_file(
    solved: SolvedField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the command: its option, its file, its key in the result."""
    from novacli.pipeline import solve as pipeline

    result = Result(solved.origin.name, SOLVED, files={"directory": str(solved.job.path)})
    outcome = pipeline.Solved(result, solved.solution, origin=solved.origin)
    monkeypatch.setattr(pipeline, "solve_input", lambda *_: outcome)
    monkeypatch.setenv("HOME", str(tmp_path))
    called = submit.command.main(
        ["--json", "--standin-regions", str(tmp_path / "a.reg"), solved.origin.name], standalone_mode=False
    )
    assert called == 0
    assert (tmp_path / "a.reg").read_text().startswith("icrs; point(")
