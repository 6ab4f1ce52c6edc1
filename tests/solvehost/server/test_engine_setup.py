"""The engine and the index files of this machine, and messages if one of them is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import standin

from solvehost.engine import sandbox
from solvehost.errors import ConfigError, UnavailableError
from solvehost.server import settings
from solvehost.server.engine_setup import EngineSetup


def make_setup(folder: Path, configuration: str, **flags: object) -> EngineSetup:
    (folder / "engine.cfg").write_text(configuration)
    program = standin.install(folder)
    values = {"config": os.devnull, "state": str(folder), "engine": str(program),
              "engine_config": str(folder / "engine.cfg"), **flags}  # fmt: skip
    return EngineSetup(settings.load(values))


def test_index_files_are_found(tmp_path: Path) -> None:
    setup = make_setup(tmp_path, f"index {standin.write_index(tmp_path / 'index-one.fits')}\n")
    setup.check()
    assert [file.path.name for file in setup.indexes.files] == ["index-one.fits"]


def test_the_message_names_searched_directories_and_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "index-bad.fits").write_bytes(b"nonsense")
    setup = make_setup(tmp_path, f"add_path {tmp_path}\nautoindex\n")
    with pytest.raises(
        UnavailableError, match=rf"no index file was found \({tmp_path}; .*index-bad\.fits: .*engine-config"
    ):
        setup.check()


def test_the_message_says_that_no_directory_is_configured(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no engine configuration names any directory"):
        make_setup(tmp_path, "").check()


@pytest.mark.parametrize("required", [True, False])
def test_a_required_sandbox_must_be_available(tmp_path: Path, required: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "missing", lambda: ("Landlock",))
    setup = make_setup(tmp_path, "", require_sandbox=required)
    if required:
        with pytest.raises(ConfigError, match=r"require_sandbox is set, but .*no Landlock"):
            _ = setup.is_confined
    else:
        assert not setup.is_confined
        assert setup.limits().confined, "by what the kernel has"
