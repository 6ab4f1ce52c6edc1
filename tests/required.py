"""A pytest plugin: ``-p tests.required --require engine,sshd`` makes a skipped test with such a marker a failure.

Elsewhere a test that needs the real engine is skipped where there is none; in CI, where all is installed, a skip
would hide that it was not tried.  Tests marked ``corpus`` may be skipped all the same: their images are not shipped.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--require``."""
    parser.addoption("--require", default="", metavar="MARKERS", help="fail, not skip, tests with these markers")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a skip into that of a failure."""
    report = yield
    required = [name for name in item.config.getoption("--require").split(",") if name]
    marked = [name for name in required if item.get_closest_marker(name)]
    excused = hasattr(report, "wasxfail") or item.get_closest_marker("corpus")
    if report.skipped and marked and not excused:
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"{', '.join(marked)} is required here, but the test was skipped: {reason}"
    return report
