"""What a program writes to stderr: the last lines, escaped, at a limited cost."""

from __future__ import annotations

import pytest

from novacli.backends.ssh import stderr_log
from novacli.backends.ssh.stderr_log import StderrLog
from novacli.errors import TransferError


def collected(*chunks: bytes) -> tuple[tuple[str, ...], list[str]]:
    """Return the kept and the observed lines."""
    observed: list[str] = []
    log = StderrLog(observed.append)
    for chunk in chunks:
        log.add(chunk)
    log.end()
    return log.lines, observed


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ((b"one\ntwo\n",), ("one", "two")),
        ((b"on", b"e\nt", b"wo"), ("one", "two")),
        ((b"one\r\n\n  \ntwo",), ("one", "two")),
        ((b"\x1b[2J\n",), (r"\x1b[2J",)),
        ((b"",), ()),
    ],
)
def test_lines_are_put_together_and_escaped(chunks: tuple[bytes, ...], lines: tuple[str, ...]) -> None:
    kept, observed = collected(*chunks)
    assert kept == lines
    assert tuple(observed) == lines


@pytest.mark.parametrize("chunks", [(b"x" * 100_000,), (b"x" * 300, b"x" * 300, b"x" * 300)])
def test_a_long_line_is_cut(chunks: tuple[bytes, ...]) -> None:
    (line,), _ = collected(*chunks)
    assert 400 <= len(line) < 500


def test_a_flood_of_lines_is_observed_up_to_a_limit_and_the_last_are_kept() -> None:
    kept, observed = collected(*(b"".join(b"%d\n" % (1000 * n + i) for i in range(1000)) for n in range(10)))
    assert kept == tuple(str(number) for number in range(9980, 10_000))
    assert observed == [str(number) for number in range(2000)]


def test_of_a_flood_only_the_lines_that_can_be_kept_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that floods stderr must not cost this machine minutes of CPU time."""
    log = StderrLog(lambda _line: None)
    log.add(b"y\n" * 3000)
    escaped: list[bytes] = []
    monkeypatch.setattr(stderr_log, "escape", lambda line, _limit: escaped.append(line) or "y")
    log.add(b"y\n" * 30_000)
    assert len(escaped) <= 22
    assert log.lines == ("y",) * 20


def test_a_log_that_is_too_long_is_refused() -> None:
    log = StderrLog(lambda _line: None)
    with pytest.raises(TransferError, match="its log does not end"):
        for _ in range(17):
            log.add(bytes(2**20))
