"""The structure of the source: floors, circles, third-party packages, sizes.  See docs/explanation/architecture.md."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
PACKAGES = ("solvehost", "novacli", "novaweb")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

#: Rooms from the ground up.  A room imports from lower floors, and from rooms of its floor if that makes no circle.
FLOORS = (
    ("solvehost.errors", "solvehost.record"),
    ("solvehost.formats",),
    ("solvehost.indexes", "solvehost.wire"),
    ("solvehost.engine",),
    ("solvehost.server",),
    ("solvehost.admin",),
    ("solvehost.__main__",),
    ("novacli.errors",),
    (
        "novacli.config",
        "novacli.text",
        "novacli.files",
        "novacli.fits",
        "novacli.arrays",
        "novacli.parallel",
        "novacli.wcs",
        "novacli.records",
    ),
    (
        "novacli.inputs",
        "novacli.hints",
        "novacli.rigs",
        "novacli.extraction",
        "novacli.indexes",
        "novacli.matchers",
        "novacli.solution",
    ),
    ("novacli.catalog", "novacli.exports", "novacli.jobs", "novacli.pictures", "novacli.strategy"),
    ("novacli.demo", "novacli.doctor", "novacli.reports"),
    ("novacli.backends",),
    ("novacli.pipeline",),
    ("novacli.api", "novacli.batch"),
    ("novacli.cli",),
    ("novacli.__main__",),
    ("novaweb.config", "novaweb.folders"),
    ("novaweb.settings",),
    ("novaweb.accounts",),
    ("novaweb.submissions",),
    ("novaweb.queue",),
    ("novaweb.archives", "novaweb.fetch"),
    ("novaweb.garbage", "novaweb.intake", "novaweb.products", "novaweb.removal"),
    ("novaweb.dispatcher",),
    ("novaweb.api", "novaweb.health"),
    ("novaweb.files",),
    ("novaweb.pages",),
    ("novaweb.urls", "novaweb.wsgi", "novaweb.django_start"),
    ("novaweb.demo",),
    ("novaweb.cli",),
    ("novaweb.__main__",),
)
#: Rooms of solvehost that novacli may import: the server and its tools belong to another machine.
SHARED_WITH_NOVACLI = {f"solvehost.{room}" for room in ("errors", "record", "formats", "indexes", "engine", "wire")}

#: Third-party packages, and the only rooms that import them; novacli imports none elsewhere, solvehost none at all.
THIRD_PARTY = {
    "click": {"novacli.cli", "novaweb.cli", "novaweb.demo"},
    "rich": {"novacli.cli", "novacli.reports", "novacli.batch"},
    "numpy": {
        "novacli.api", "novacli.catalog", "novacli.demo", "novacli.exports", "novacli.extraction", "novacli.fits",
        "novacli.indexes",
        "novacli.inputs", "novacli.solution", "novacli.arrays", "novacli.pictures",
        "novacli.wcs",
    },
    "astropy": {"novacli.api", "novacli.exports", "novacli.records", "novacli.solution"},
    "fitsio": {"novacli.inputs"},
    "sep": {"novacli.extraction"},
    "PIL": {"novacli.exports", "novacli.inputs", "novacli.pictures"},
    "imagecodecs": {"novacli.exports", "novacli.inputs"},
    "tifffile": {"novacli.exports", "novacli.inputs"},
    "rawpy": {"novacli.inputs"},
    "xisf": {"novacli.exports", "novacli.inputs"},
    "requests": {"novacli.backends", "novacli.files", "novaweb.demo"},
    "urllib3": {"novacli.files"},
    "distributed": {"novacli.batch"},
    "tetra3rs": {"novacli.matchers"},
    "resvg_py": {"novacli.pictures"},
    "mocpy": {"novacli.exports"},
    "django": {
        "novaweb.accounts", "novaweb.api", "novaweb.cli", "novaweb.demo", "novaweb.dispatcher",
        "novaweb.django_start", "novaweb.files", "novaweb.garbage",
        "novaweb.health", "novaweb.intake", "novaweb.pages", "novaweb.products", "novaweb.queue",
        "novaweb.removal", "novaweb.submissions",
        "novaweb.urls", "novaweb.wsgi",
    },
    "waitress": {"novaweb.cli"},
}  # fmt: skip

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((SOURCE / package).rglob("*.py"))
}


def room_of(module: str) -> str:
    """Return the room of a module: its first two names."""
    return ".".join(module.split(".")[:2])


def nodes(tree: ast.AST, *, with_types: bool) -> Iterator[ast.AST]:
    """Yield the nodes of a tree; without types, what stands under TYPE_CHECKING is left out."""
    if isinstance(tree, ast.If) and not with_types and ast.unparse(tree.test) == "TYPE_CHECKING":
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from nodes(child, with_types=with_types)


def imports(path: Path, *, with_types: bool = True) -> Iterator[tuple[str, str | None]]:
    """Yield (module, imported name or None) of every import of a file, also of those inside functions."""
    for node in nodes(ast.parse(path.read_text(encoding="utf-8")), with_types=with_types):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            assert node.module is not None
            yield from ((node.module, alias.name) for alias in node.names)


def dependencies(path: Path) -> set[str]:
    """Return the modules of the project that a file imports."""
    found = set()
    for module, name in imports(path):
        if f"{module}.{name}" in MODULES:
            found.add(f"{module}.{name}")
        elif module in MODULES:
            found.add(module)
    return found - set(PACKAGES)


DEPENDENCIES = {module: dependencies(path) - {module} for module, path in MODULES.items() if module not in PACKAGES}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the sets of nodes that depend on one another: nodes without a way out are removed until none is left."""
    left = {node: set(targets) for node, targets in graph.items()}
    while ends := [node for node, targets in left.items() if not targets & left.keys()]:
        for node in ends:
            del left[node]
    while starts := left.keys() - {target for targets in left.values() for target in targets}:
        for node in starts:
            del left[node]
    return [sorted(left)] if left else []


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module) for module in DEPENDENCIES}
    assert rooms == {room for floor in FLOORS for room in floor}


def test_no_room_imports_from_a_higher_floor() -> None:
    floor_of = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    upward = [
        f"{module} imports {target}"
        for module, targets in DEPENDENCIES.items()
        for target in targets
        if floor_of[room_of(target)] > floor_of[room_of(module)]
    ]
    assert upward == []


def test_novacli_imports_neither_the_server_nor_its_administration() -> None:
    ours = {module: targets for module, targets in DEPENDENCIES.items() if module.startswith("novacli.")}
    foreign = {room_of(t) for targets in ours.values() for t in targets if t.startswith("solvehost.")}
    assert foreign <= SHARED_WITH_NOVACLI


def test_the_commands_do_not_know_how_a_place_is_reached() -> None:
    """Only the backends know ssh; see the registry in novacli.backends."""
    above = [m for m in DEPENDENCIES if room_of(m) in {"novacli.cli", "novacli.pipeline", "novacli.batch"}]
    assert [m for m in above if any(t.startswith("novacli.backends.ssh") for t in DEPENDENCIES[m])] == []


def test_files_form_no_circle() -> None:
    assert circles(DEPENDENCIES) == []


def test_rooms_form_no_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for module, targets in DEPENDENCIES.items():
        rooms.setdefault(room_of(module), set()).update(map(room_of, targets))
    assert circles({room: targets - {room} for room, targets in rooms.items()}) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


@pytest.mark.parametrize("package", PACKAGES)
def test_third_party_packages_are_imported_in_their_rooms_alone(package: str) -> None:
    known = sys.stdlib_module_names | set(PACKAGES)
    found: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module.split(".")[0] == package:
            for imported, _name in imports(path, with_types=False):
                found.setdefault(imported.split(".")[0], set()).add(room_of(module))
    allowed = {} if package == "solvehost" else THIRD_PARTY
    unexpected = {name: rooms - allowed.get(name, set()) for name, rooms in found.items() if name not in known}
    assert {name: rooms for name, rooms in unexpected.items() if rooms} == {}


def test_the_root_of_novacli_holds_few_modules() -> None:
    names = {path.stem for path in (SOURCE / "novacli").glob("*.py")}
    assert names == {"__init__", "__main__", "api", "config", "errors"}


@pytest.mark.parametrize("room", sorted({path.parent for path in MODULES.values()}), ids=str)
def test_every_room_says_what_it_is_for(room: Path) -> None:
    text = (room / "__init__.py").read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("module", MODULES)
def test_files_and_functions_stay_short(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_FILE_LINES
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}
