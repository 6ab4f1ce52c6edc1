"""Commands that start without the slow packages.  tests/test_architecture.py says who may import which package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_jobs import make_job

SOURCE = Path(__file__).parents[2] / "src"
SLOW = {"numpy", "fitsio", "astropy", "requests", "sep", "PIL", "tifffile", "imagecodecs", "rich"}

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
     "export --help", "objects --help", "plot --help", "index --help", "index list",
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


def test_finding_stars_imports_no_masked_arrays() -> None:
    """Several functions of numpy import numpy.ma, which takes longer than finding the stars of a small image."""
    program = (
        "import sys\n"
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
    subprocess.run([sys.executable, "-c", program], check=True)
