"""File descriptors: 0, 1 and 2 stay reserved for the standard streams, and a child gets no other one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
sys.path[:0] = {path!r}
from solvehost.engine import descriptors
for fd in {closed!r}:
    os.close(fd)
{script}
"""


def run(script: str, *closed: int) -> str:
    """Run a script in a program that was started with these descriptors closed; return what it writes to ``report``."""
    out, into = os.pipe()
    try:
        os.set_inheritable(into, True)
        text = PROGRAM.format(path=sys.path, closed=closed, script=f"report = {into}\n{script}")
        subprocess.run([sys.executable, "-c", text], pass_fds=[into], check=True)
        return os.read(out, 1000).decode()
    finally:
        os.close(out)
        os.close(into)


@pytest.mark.skipif(sys.platform != "linux", reason="lists descriptors in /proc")
def test_all_descriptors_but_the_standard_and_the_kept_ones_are_closed() -> None:
    said = run(
        "opened = [os.open('/dev/null', os.O_RDONLY) for _ in range(5)]\n"
        "descriptors.close_others(opened[1], report)\n"
        "left = sorted(int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}'))\n"
        "os.write(report, repr(left == sorted([0, 1, 2, opened[1], report])).encode())"
    )
    assert said == "True"


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1, 2)])
def test_a_new_descriptor_is_moved_above_the_standard_ones(closed: tuple[int, ...]) -> None:
    said = run(
        "fd = os.open('/dev/null', os.O_RDONLY)\n"
        "moved = descriptors.above_standard(fd)\n"
        "os.write(report, repr((fd < 3, moved > 2, os.get_inheritable(moved))).encode())",
        *closed,
    )
    assert said == "(True, True, False)"


@pytest.mark.parametrize("closed", [(), (0,), (2,), (0, 1, 2)])
def test_closed_standard_descriptors_are_opened_on_the_null_device(closed: tuple[int, ...]) -> None:
    said = run(
        "descriptors.hold_standard()\n"
        "fd = os.open('/dev/null', os.O_RDONLY)\n"
        "os.write(report, repr((fd > 2, [os.fstat(n) is not None for n in range(3)])).encode())",
        *closed,
    )
    assert said == "(True, [True, True, True])"
