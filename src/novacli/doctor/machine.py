"""Check the machine: memory, engine slots, and the packages for optional input formats."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from novacli.config import Config
from novacli.errors import NovaError, OutputError
from novacli.records.check import Check
from novacli.text.quantities import bytes_text, count_text
from solvehost.engine.slots import Tokens

#: An image of 100 megapixels takes about three times its 400 MB.
_ENOUGH_MEMORY_BYTES = 1_200_000_000


def check_slots(settings: Config) -> Check:
    """Check how many engines may run at once, and how many are running."""
    try:
        tokens = Tokens(settings["slots_dir"], settings["slots"])
        busy = tokens.count_held()
        token = tokens.try_acquire()  # only taking one shows whether the file system supports locks
        if token is not None:
            token.release()
    except (NovaError, OSError) as exc:
        return Check("slots", False, str(exc), "name another directory by slots_dir", OutputError.exit_code)
    return Check("slots", True, f"{count_text(tokens.count, 'engine')} may run at once, {busy or 'none'} running")


def check_memory() -> Check:
    """Check how much memory is free."""
    free_bytes, total_bytes = _memory_bytes()
    if free_bytes is None:
        return Check("memory", True, f"{bytes_text(total_bytes)} in all")
    detail = f"{bytes_text(free_bytes)} free of {bytes_text(total_bytes)}"
    if free_bytes < _ENOUGH_MEMORY_BYTES:
        return Check("memory", None, detail, "large images may not fit: use --downsample, or close a program")
    return Check("memory", True, detail)


def _memory_bytes() -> tuple[int | None, int]:
    """Return free and total memory in bytes; free is None on systems that do not tell it (macOS)."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None, total
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return (found[0] if found else None), total


def check_extras() -> Iterator[Check]:
    """Check which optional input formats can be read."""
    for module, formats in (("xisf", "XISF images"), ("rawpy", "camera raw files")):
        if importlib.util.find_spec(module) is None:
            yield Check(module, None, f"not installed: {formats} cannot be read", f"pip install {module}")
        else:
            yield Check(module, True, f"{formats} can be read")
