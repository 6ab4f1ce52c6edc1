"""``solvehost check``: everything that serving safely needs, in the order in which a job meets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solvehost.admin import accounts, installation
from solvehost.admin.accounts import Account
from solvehost.admin.checks import account as account_checks
from solvehost.admin.checks import guarded, keys, serving, sshd, trial_jobs
from solvehost.admin.checks.keys import Service
from solvehost.admin.keylines import KeyLine
from solvehost.admin.records import Check, Report
from solvehost.errors import SolvehostError
from solvehost.server import settings
from solvehost.server.engine_setup import EngineSetup


@dataclass
class _Found:
    """What earlier checks learn and later ones need."""

    sshd: dict[str, list[str]] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)


def examine(
    flags: Mapping[str, Any], *, user: str | None = None, keys: Path | None = None, sshd_config: Path | None = None,
    proof: bool = True,
) -> Report:  # fmt: skip
    """Look at everything; where no setting is given, the settings are those of the key lines."""
    try:
        account = accounts.find(user)
    except SolvehostError as exc:
        remedy = "useradd --system --create-home --shell /bin/sh solve, or name another by --user"
        return Report((Check("user", False, str(exc), remedy, exc.exit_code),))
    return Report(tuple(_look(account, flags, keys, sshd_config, with_proof=proof)))


def _look(
    account: Account, flags: Mapping[str, Any], key_file: Path | None, sshd_config: Path | None, *, with_proof: bool
) -> Iterator[Check]:  # fmt: skip
    found = _Found()
    sshd_checks = list(_sshd(found, account, sshd_config, flags))
    uses_pam = found.sshd.get("usepam", ["yes"])[0] == "yes"
    yield from account_checks.look(account, uses_pam=uses_pam)
    yield from sshd_checks
    yield from guarded("key file", lambda: _keys(found, account, key_file))
    service = _service(found, flags)
    yield from guarded("program", lambda: [keys.check_program(service, account)])
    yield from _settings_of_lines(found, flags, service)
    serving_checks = accounts.look_as(account, lambda: serving.look(service.flags, account))
    yield from serving_checks
    if with_proof:
        yield from guarded(trial_jobs.SOLVES, lambda: _proof(account, service))


def _sshd(found: _Found, account: Account, config: Path | None, flags: Mapping[str, Any]) -> Iterator[Check]:
    try:
        found.sshd = sshd.effective(account, config)
    except SolvehostError as exc:
        yield Check("sshd", None, str(exc), "run this as root to see what sshd makes of its configuration")
        return
    try:
        wall_s = settings.load(flags).max_wall
    except SolvehostError:  # a check of its own says so
        wall_s = settings.load({"config": "/dev/null"}).max_wall
    yield from guarded("sshd", lambda: sshd.look(found.sshd, account, wall_s))


def _keys(found: _Found, account: Account, stated: Path | None) -> Iterator[Check]:
    places = [stated.absolute()] if stated else keys.files_of(account, found.sshd.get("authorizedkeysfile", ()))
    there = [path for path in places if path.exists()]
    if not there:
        names = ", ".join(map(str, places))
        yield Check("key file", False, f"no key is authorized: there is no {names}", "solvehost authorize KEY.pub")
    for path in there:
        yield keys.check_file(path, account)
        yield from accounts.look_as(account, lambda path=path: keys.check_readable(path))  # type: ignore[misc]
        for number, line in keys.read_lines(path):
            if isinstance(line, Check):
                yield line
                continue
            yield from keys.check_line(number, line, account)
            _note(found, line)


def _note(found: _Found, line: KeyLine) -> None:
    try:
        service = keys.service_of(line)
    except SolvehostError:
        return
    if service is not None:
        found.services.append(service)


def _service(found: _Found, flags: Mapping[str, Any]) -> Service:
    """Return what is served: the first key's, unless settings were given; without a key, this program itself."""
    words = [word for name, value in flags.items() for word in _words(name, value)]
    if not found.services:
        return Service(tuple(installation.program()), tuple(words), flags)
    first = found.services[0]
    return Service(first.program, tuple(words), flags) if flags else first


def _words(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    return [flag] if value is True else [flag, str(value)]


def _settings_of_lines(found: _Found, flags: Mapping[str, Any], served: Service) -> Iterator[Check]:
    """Yield other keys' settings that do not load, and whether keys differ in more than the client."""
    for service in found.services:
        if service is served:  # the next checks are about these
            continue
        try:
            settings.load(service.flags)
        except SolvehostError as exc:
            yield Check("settings", False, f"of client {service.flags.get('client', 'default')}: {exc}",
                        exit_code=exc.exit_code)  # fmt: skip
    kinds = {tuple(sorted((k, v) for k, v in s.flags.items() if k != "client")) for s in found.services}
    if len(kinds) > 1 and not flags:
        yield Check("settings", None, f"keys are served with {len(kinds)} different settings; what follows is about "
                    "those of the first", "give the flags of another to look at that one")  # fmt: skip


def _proof(account: Account, service: Service) -> Iterator[Check]:
    try:
        config = settings.load(service.flags)
        files = serving.scan(EngineSetup(config)).files
    except SolvehostError as exc:
        yield Check(trial_jobs.SOLVES, None, f"not proven: {exc}", "mend what is said above first")
        return
    yield from trial_jobs.look(account, files, service.program, service.words)
