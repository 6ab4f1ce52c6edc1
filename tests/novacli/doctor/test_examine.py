"""All checks together: their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from novacli.doctor import examine


def test_each_check_that_can_fail_has_its_own_exit_code(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    env = {"HOME": str(tmp_path), "NOVA_SLOTS_DIR": str(tmp_path / "file"), "NOVA_JOBS": str(tmp_path / "file"),
           "NOVA_ENGINE": "/no/such/engine", "NOVA_INDEX": str(tmp_path / "none")}  # fmt: skip
    failed = {check.name: check.exit_code for check in examine(env).checks if check.ok is False}
    assert failed == {"engine": 69, "index files": 69, "slots": 73, "jobs directory": 73}


@pytest.mark.parametrize("text", ["keep_dais = 7\n", "= nonsense"])
def test_a_damaged_configuration_fails_its_check_and_the_others_use_the_defaults(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    health = examine({"HOME": str(tmp_path), "NOVA_CONFIG": str(file), "NOVA_JOBS": "/ignored"})
    first = health.checks[0]
    assert (first.name, first.ok, first.exit_code) == ("configuration", False, 78)
    assert health.config["jobs_dir"].is_relative_to(tmp_path)
