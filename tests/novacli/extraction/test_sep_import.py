"""sep is imported without the search of all installed packages for its version."""

from __future__ import annotations

import subprocess
import sys


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", f"import sys\n{program}"], check=True)


def test_sep_is_imported_without_package_metadata() -> None:
    run(
        "from novacli.extraction.sep_import import import_sep\n"
        "sep = import_sep()\n"
        "assert callable(sep.extract) and sys.modules['sep'] is sep is import_sep()\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "import importlib.metadata\n"
        "assert importlib.metadata.version('numpy') and importlib.metadata.distributions()"
    )


def test_what_another_thread_imports_meanwhile_works() -> None:
    """It may keep the module that stands in for importlib.metadata."""
    run(
        "from novacli.extraction import sep_import\n"
        "sys.modules['importlib.metadata'] = kept = sep_import._MetadataWithoutSep('importlib.metadata')\n"
        "assert kept.version('numpy')\n"
        "assert list(kept.distributions())\n"
        "import importlib.metadata\n"
        "assert importlib.metadata is not kept"
    )


def test_package_metadata_that_is_imported_already_stays() -> None:
    run(
        "import importlib.metadata as metadata\n"
        "from novacli.extraction.sep_import import import_sep\n"
        "assert import_sep().__version__ == metadata.version('sep')\n"
        "assert sys.modules['importlib.metadata'] is metadata"
    )


def test_finding_stars_imports_no_masked_arrays() -> None:
    """Several functions of numpy import numpy.ma, which takes longer than finding the stars of a small image."""
    run(
        "import numpy as np\n"
        "from novacli.extraction.detect import DetectionSettings\n"
        "from novacli.extraction.extractor import StarExtractor\n"
        "from novacli.extraction.order import StarOrder\n"
        "from novacli.inputs import from_array\n"
        "pixels = np.random.default_rng(1).normal(100, 3, (200, 200)).astype(np.float32)\n"
        "for dy, dx in np.ndindex(3, 3):\n"
        "    pixels[20 + dy : 180 : 20, 20 + dx : 180 : 20] += 500\n"
        "extractor = StarExtractor(from_array(pixels), 50)\n"
        "assert sum(len(extractor.stars(DetectionSettings(1), order)) for order in StarOrder)\n"
        "assert 'numpy.ma' not in sys.modules"
    )
