from __future__ import annotations

import json
from pathlib import Path

import pytest

from novacli.config import KEYS


def test_every_setting_is_shown_with_its_source(nova, jobs: Path) -> None:
    lines = {line.split()[0]: line.split() for line in nova("config", "show").out.splitlines()}
    assert list(lines) == [key.name for key in KEYS]
    assert lines["jobs_dir"] == ["jobs_dir", str(jobs), "$NOVA_JOBS"]
    assert lines["keep_days"] == ["keep_days", "90", "default"]


def test_json_has_value_source_and_meaning(nova, home: Path) -> None:
    file = home / ".config" / "nova" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("keep_days = 7\n")
    shown = json.loads(nova("config", "show", "--json").out)
    assert (shown["file"], shown["file_exists"]) == (str(file), True)
    assert shown["settings"]["keep_days"]["value"] == 7
    assert shown["settings"]["keep_days"]["source"] == str(file)
    assert all(setting["meaning"] for setting in shown["settings"].values())


def test_the_path_is_where_the_file_is_looked_for(nova, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nova("config", "path").out == f"{home}/.config/nova/config.toml\n"
    monkeypatch.setenv("NOVA_CONFIG", "/elsewhere.toml")
    assert nova("config", "path").out == "/elsewhere.toml\n"


def test_a_wrong_setting_is_one_line(nova, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_KEEP_DAYS", "-1")
    ran = nova("config", "show")
    assert (ran.code, ran.out, ran.err) == (78, "", "nova: $NOVA_KEEP_DAYS: keep_days = '-1': it must be above zero\n")
