"""Settings of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from novacli import config
from novacli.config import Config


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return config.load({"HOME": str(tmp_path), "NOVA_SLOTS_DIR": str(tmp_path / "slots"), "NOVA_SLOTS": "3",
                        "NOVA_INDEX": str(tmp_path / "index")})  # fmt: skip
