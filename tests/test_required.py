"""The plugin that makes skips failures where everything must be there."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_SUITE = """
import pytest

@pytest.mark.engine
@pytest.mark.skipif(True, reason="not installed")
def test_by_marker(): pass

@pytest.mark.engine
def test_by_hand(): pytest.skip("not found")

@pytest.mark.engine
def test_there(): pass

def test_other(): pytest.skip("no matter")

@pytest.mark.engine
@pytest.mark.corpus
def test_not_shipped(): pytest.skip("no images")
"""


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        ((), {"passed": 1, "skipped": 4}),
        (("--require", "sshd"), {"passed": 1, "skipped": 4}),
        # A skip before the test's body is an error of its setup.
        (("--require", "engine,sshd"), {"passed": 1, "skipped": 2, "failed": 1, "errors": 1}),
    ],
)
def test_skips_become_failures(pytester: pytest.Pytester, arguments: tuple[str, ...], outcomes: dict[str, int]) -> None:
    """Only tests with a required marker fail when they are skipped, unless what they lack is not shipped."""
    pytester.syspathinsert(Path(__file__).resolve().parents[1])
    pytester.makeini("[pytest]\nmarkers =\n    engine: e\n    sshd: s\n    corpus: c\n")
    pytester.makepyfile(_SUITE)
    # Django's plugin can be set up once in a process.
    pytester.runpytest("-p", "no:django", "-p", "tests.required", *arguments).assert_outcomes(**outcomes)
