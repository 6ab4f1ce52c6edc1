"""sep is imported for the command line without the search of all installed packages for its version."""

from __future__ import annotations

import subprocess
import sys


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", f"import sys\nimport numpy\n{program}"], check=True)


def test_sep_is_imported_without_package_metadata() -> None:
    run(
        "from novacli.cli.sep_import import import_sep\n"
        "import_sep()\n"
        "assert callable(sys.modules['sep'].extract)\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "import importlib.metadata\n"
        "assert importlib.metadata.version('numpy') and importlib.metadata.distributions()"
    )


def test_package_metadata_that_is_imported_already_stays() -> None:
    run(
        "import importlib.metadata as metadata\n"
        "from novacli.cli.sep_import import import_sep\n"
        "import_sep()\n"
        "import sep\n"
        "assert sep.__version__ == metadata.version('sep')\n"
        "assert sys.modules['importlib.metadata'] is metadata"
    )


def test_the_library_imports_sep_as_usual() -> None:
    """A module that stands in for another could be seen by a thread of the program that uses the library."""
    run(
        "from novacli.extraction.detect import DetectionSettings, detect_sources\n"
        "from novacli.inputs import from_array\n"
        "detect_sources(from_array(numpy.zeros((100, 100))), DetectionSettings())\n"
        "import importlib.metadata, sep\n"
        "assert sep.__version__ == importlib.metadata.version('sep')"
    )
