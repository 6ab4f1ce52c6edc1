"""What ``solvehost check`` looks at, one file for each subject.  Every function yields findings and changes nothing.

``account``    the user that the server runs as
``sshd``       sshd's settings for that user
``keys``       the ``authorized_keys`` file, and each line in it
``serving``    configuration, engine, index files and confinement, with that user's permissions
``state``      the state directory, with that user's permissions
``limits``     resource limits of sessions
``session``    a session of sshd on this machine, with a client's key
``trial_jobs`` a synthetic field that must be solved, and a star list that tries to write where it must not
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from solvehost.admin.records import Finding
from solvehost.errors import NovaError


def run_check(name: str, check: Callable[[], Iterable[Finding]], remedy: str = "") -> Iterator[Finding]:
    """Yield the findings of ``check``; turn an exception into a failed finding, so that the other checks still run.

    Parameters
    ----------
    name
        Name of that finding.
    check
        The check.
    remedy
        What to do if the check raises an error of ``solvehost`` or of the system.
    """
    try:
        yield from check()
    except NovaError as exc:
        yield Finding(name, False, str(exc), remedy, exc.exit_code)
    except OSError as exc:
        where = f"{exc.filename}: " if exc.filename else ""
        yield Finding(name, False, f"{where}{exc.strerror or exc}", remedy or "correct its owner and mode", 77)
    except Exception as exc:
        detail = f"the check itself failed: {type(exc).__name__}: {exc}"
        yield Finding(name, False, detail, "please report this fault of solvehost", exit_code=NovaError.exit_code)
