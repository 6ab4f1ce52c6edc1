"""Make docs/images/submit.svg anew: what a terminal shows of ``nova submit`` on a drawn field.

Run it as ``.venv/bin/python scripts/picture.py``.  The command runs in a terminal of its own, so the picture shows
what a person sees, colours and all.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "submit.svg"
COLUMNS = 88
#: The picture must not fetch a font from anywhere: the reader's own monospace serves.
_FROM_THE_WEB = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)


def main() -> None:
    """Draw a field, solve it in a terminal, and keep what the terminal showed."""
    with tempfile.TemporaryDirectory() as folder:
        _run(folder, "demo", "orion.fits")
        shown = _run(folder, "submit", "orion.fits")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "bold green"), "nova submit orion.fits"))
    console.print(Text.from_ansi(shown))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    svg = _FROM_THE_WEB.sub("", console.export_svg(title="nova", unique_id="nova"))
    PICTURE.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")


def _run(folder: str, *arguments: str) -> str:
    """Return what ``nova`` writes to a terminal, its progress line aside."""
    ours, theirs = pty.openpty()
    # Nothing that this user's nova has learned or is set to shall show.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NOVA_", "XDG_"))}
    env |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "HOME": folder}
    command = [sys.executable, "-m", "novacli", *arguments]
    # Longer than a terminal's buffer the answer is not, so it can be read when all is written.
    subprocess.run(
        command, stdout=theirs, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=folder, env=env, check=True
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:  # a terminal whose other side is closed ends with an error
        pass
    os.close(ours)
    return shown.decode().replace("\r\n", "\n").rstrip()


if __name__ == "__main__":
    main()
