"""The progress line on a terminal, with ``--verbose``, and elsewhere."""

from __future__ import annotations

import io
import threading

import pytest

from novacli.cli.progress import ProgressLine, progress


class Terminal(io.StringIO):
    """Standard error on a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, kind: str | None = "xterm") -> Terminal:
    """Return a terminal that is standard error now; pytest would replace what a fixture sets."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.delenv("TERM", raising=False)
    if kind is not None:
        monkeypatch.setenv("TERM", kind)
    return stream


def test_a_terminal_shows_the_current_step_and_then_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name cannot move the cursor; there is no thread, with which engines could not be forked."""
    terminal, threads = on_terminal(monkeypatch), threading.active_count()
    with progress(verbose=False) as observe:
        observe("reading a[1].fits")
        observe("reading \x1b[2J.fits")
        assert threading.active_count() == threads
    _, first, second, last = terminal.getvalue().split("\r\x1b[K")
    assert "reading a[1].fits" in first
    assert "reading \\x1b[2J.fits" in second
    assert last == ""


def test_a_hidden_line_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, line = on_terminal(monkeypatch), ProgressLine(verbose=False)
    with line:
        line.observe("asking")
    shown = terminal.getvalue()
    line.observe("hidden")
    assert terminal.getvalue() == shown


@pytest.mark.parametrize("kind", ["dumb", None])
def test_a_terminal_that_cannot_clear_a_line_shows_no_steps(monkeypatch: pytest.MonkeyPatch, kind: str | None) -> None:
    terminal = on_terminal(monkeypatch, kind)
    with progress(verbose=False) as observe:
        observe("reading")
    assert terminal.getvalue() == ""


def test_verbose_writes_a_line_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with progress(verbose=True) as observe:
        observe("reading a.fits")
    assert terminal.getvalue() == "nova: reading a.fits\n"
