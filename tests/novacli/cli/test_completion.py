from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_jobs import make_job

BASH = shutil.which("bash")


@pytest.mark.parametrize(
    ("shell", "line"), [("bash", "complete -o nosort -F"), ("zsh", "#compdef nova"), ("fish", "complete --no-files")]
)
def test_each_shell_has_a_script(nova, shell: str, line: str) -> None:
    ran = nova("completion", shell)
    assert ran.code == 0
    assert line in ran.out


def test_an_unknown_shell_is_a_usage_error(nova) -> None:
    assert nova("completion", "tcsh").code == 2


@pytest.fixture
def complete(nova, jobs: Path, tmp_path: Path):
    """Complete the last word of a command line in a real bash that has read the script."""
    if BASH is None:
        pytest.skip("needs bash, which is not on PATH")
    script = tmp_path / "nova.bash"
    script.write_text(nova("completion", "bash").out)
    shim = tmp_path / "bin" / "nova"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m novacli "$@"\n')
    shim.chmod(0o755)

    def words(line: str) -> list[str]:
        typed = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in typed)
        program = (
            f"source '{script}'; COMP_WORDS=({quoted}); COMP_CWORD={len(typed) - 1}; "
            "_nova_completion nova; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        source = str(Path(__file__).parents[3] / "src")
        env = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}", "PYTHONPATH": source}
        ran = subprocess.run([BASH, "-c", program], capture_output=True, text=True, env=env, check=True)
        assert ran.stderr == ""
        return ran.stdout.split()

    return words


def test_bash_completes_commands(complete) -> None:
    assert complete("nova sho") == ["show"]


def test_bash_completes_job_ids_by_prefix(complete, jobs: Path) -> None:
    make_job(jobs).path.rename(jobs / "feed01")
    make_job(jobs).path.rename(jobs / "feed02")
    make_job(jobs).path.rename(jobs / "beef01")
    assert complete("nova show fe") == ["feed01", "feed02"]
    assert complete("nova rm beef01 la") == ["last"]


def test_completion_is_silent_where_the_configuration_is_wrong(complete, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_KEEP_DAYS", "none")
    assert complete("nova show ") == []
