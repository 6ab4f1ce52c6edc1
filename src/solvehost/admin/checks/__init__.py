"""What ``solvehost check`` looks at, a module a subject; each function yields records and changes nothing.

``account``  the user that solves
``sshd``     sshd's settings for that user
``keys``     the file of keys, and each line in it
``serving``  configuration, engine, index files, state directory, limits: seen with that user's eyes
``proof``    a field that is solved end to end, and a star list that tries to write where it must not
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from solvehost.admin.records import Check
from solvehost.errors import SolvehostError

INTERNAL = 70


def guarded(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield what ``look`` finds; where it breaks off, say so in a failed check: one never keeps others from running."""
    try:
        yield from look()
    except SolvehostError as exc:
        yield Check(name, False, str(exc), exit_code=exc.exit_code)
    except OSError as exc:
        where = f"{exc.filename}: " if exc.filename else ""
        yield Check(name, False, f"{where}{exc.strerror or exc}", exit_code=77)
    except Exception as exc:
        yield Check(name, False, f"{type(exc).__name__}: {exc}", "please report it", exit_code=INTERNAL)
