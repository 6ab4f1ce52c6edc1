"""Which packages each module may import, and which commands start without the slow ones."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_jobs import make_job

SOURCE = Path(__file__).parents[2] / "src"
OURS = {"novacli", "solvehost"}
SLOW = {"numpy", "fitsio", "astropy", "requests", "sep", "PIL", "tifffile", "imagecodecs", "rich"}

#: Third-party packages that a module imports, at once or when a function of it needs them; all others import none.
THIRD_PARTY = {
    "novacli.batch.executors.dask": {"distributed"},
    "novacli.batch.executors.daskworker": {"distributed"},
    "novacli.batch.run.display": {"rich"},
    "novacli.cli.commands.batch": {"click"},
    "novacli.extraction.centroids": {"numpy"},
    "novacli.cli.commands.cancel": {"click"},
    "novacli.cli.commands.completion": {"click"},
    "novacli.cli.commands.config": {"click"},
    "novacli.cli.commands.demo": {"click"},
    "novacli.cli.commands.doctor": {"click"},
    "novacli.cli.commands.fetch": {"click"},
    "novacli.cli.commands.hosts": {"click"},
    "novacli.cli.jobargs": {"click"},
    "novacli.cli.commands.jobs": {"click"},
    "novacli.cli.commands.log": {"click"},
    "novacli.cli.main": {"click"},
    "novacli.cli.options": {"click"},
    "novacli.cli.progress": {"rich"},
    "novacli.cli.commands.retry": {"click"},
    "novacli.cli.commands.rigs": {"click"},
    "novacli.cli.commands.rm": {"click"},
    "novacli.cli.selection": {"click"},
    "novacli.cli.commands.show": {"click"},
    "novacli.cli.commands.submit": {"click"},
    "novacli.cli.watchargs": {"click"},
    "novacli.demo.catalogue": {"numpy"},
    "novacli.demo.drawing": {"numpy"},
    "novacli.demo.exposure": {"numpy"},
    "novacli.demo.population": {"numpy"},
    "novacli.demo.projection": {"numpy"},
    "novacli.demo.psf": {"numpy"},
    "novacli.demo.writer": {"numpy"},
    "novacli.wcs.distortion": {"numpy"},
    "novacli.fits.tables": {"numpy"},
    "novacli.inputs.arrays": {"numpy"},
    "novacli.files.http": {"requests", "urllib3"},
    "novacli.inputs.fits": {"fitsio", "numpy"},
    "novacli.inputs.pixels": {"numpy"},
    "novacli.inputs.raster": {"imagecodecs", "numpy"},
    "novacli.inputs.raw": {"rawpy"},
    "novacli.inputs.starjson": {"numpy"},
    "novacli.inputs.starlist": {"numpy"},
    "novacli.inputs.tables": {"numpy"},
    "novacli.inputs.tiff": {"numpy", "tifffile"},
    "novacli.inputs.tiffheader": {"tifffile"},
    "novacli.inputs.xisf": {"xisf"},
    "novacli.exports.new_fits": {"numpy"},
    "novacli.exports.original_pixels": {"PIL", "imagecodecs", "numpy", "tifffile", "xisf"},
    "novacli.reports.checklist": {"rich"},
    "novacli.reports.joblist": {"rich"},
    "novacli.reports.results.table": {"rich"},
    "novacli.wcs.projection": {"numpy"},
    "novacli.wcs.refit": {"numpy"},
    "novacli.solution.improve": {"numpy"},
    "novacli.solution.tables": {"astropy", "numpy"},
    "novacli.extraction.sources": {"numpy", "sep"},
}

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere in it, those for type checkers aside."""
    return set(_imports(ast.parse(path.read_text(encoding="utf-8"))))


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module.split(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def test_modules_import_the_packages_that_the_table_states_and_no_others() -> None:
    found = {name: imported(path) - OURS - sys.stdlib_module_names for name, path in MODULES.items()}
    assert {name: packages for name, packages in found.items() if packages} == THIRD_PARTY


def test_solvehost_imports_the_standard_library_and_itself_alone() -> None:
    allowed = sys.stdlib_module_names | {"solvehost"}
    ours = {name: path for name, path in MODULES.items() if name.split(".")[0] == "solvehost"}
    assert ours
    assert {name: imported(path) - allowed for name, path in ours.items() if imported(path) - allowed} == {}


LISTING = """
import sys
from novacli.cli.main import main
sys.argv = ["nova", *sys.argv[1:]]
try:
    main()
except SystemExit as left:
    assert not left.code, left.code
finally:
    print("MODULES", *{name.split(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "command",
    ["--help", "--version", "jobs", "jobs --json", "jobs --help", "show last", "show last --json", "log last",
     "rm --older-than 1d", "config show", "config path", "completion bash", "submit --help", "retry --help",
     "fetch --all", "fetch last", "cancel --help", "hosts list", "hosts check --help", "rigs list",
     "batch --help", "batch status"],
)  # fmt: skip
def test_light_commands_start_without_the_slow_packages(command: str, tmp_path: Path) -> None:
    make_job(tmp_path / "jobs").log.write_text("solved\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NOVA_JOBS": str(tmp_path / "jobs"),
           "PYTHONPATH": str(SOURCE), "PYTHONUTF8": "1"}  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", LISTING, *command.split()], env=env, capture_output=True, text=True, check=True
    )
    modules = set(ran.stderr.splitlines()[-1].removeprefix("MODULES ").split())
    assert "novacli" in modules
    assert modules & SLOW == set()


def test_importing_the_package_is_light() -> None:
    program = "import sys, novacli; print(*{name.split('.')[0] for name in sys.modules})"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) & (SLOW | {"click"}) == set()
