"""``solvehost check``: check everything that safe serving needs, in the order in which a job meets it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solvehost.admin import accounts, installation
from solvehost.admin.accounts import Account
from solvehost.admin.checks import account as account_checks
from solvehost.admin.checks import keys, run_check, serving, session, sshd, trial_jobs
from solvehost.admin.checks.keys import Service
from solvehost.admin.keylines import KeyLine
from solvehost.admin.records import CheckReport, Finding
from solvehost.errors import NovaError
from solvehost.indexes.index_file import IndexFile
from solvehost.server import settings
from solvehost.server.engine_setup import EngineSetup


def check(
    flags: Mapping[str, Any], *, user: str | None = None, keys: Path | None = None, sshd_config: Path | None = None,
    with_trial_jobs: bool = True, client_key: Path | None = None,
) -> CheckReport:  # fmt: skip
    """Check everything; without flags, the settings are those of the key lines.

    Parameters
    ----------
    flags
        Flags of the server.
    user
        Name of the user that the server runs as; by default, as :func:`accounts.find`.
    keys
        The ``authorized_keys`` file; by default, as sshd's configuration says.
    sshd_config
        sshd's configuration file; by default, sshd's own.
    with_trial_jobs
        Send test jobs through the forced command at the end.
    client_key
        File with the private key of a client, with which to connect to sshd on this machine; by default, do not.
    """
    try:
        account = accounts.find(user)
    except NovaError as exc:
        remedy = "useradd --system --create-home --shell /bin/sh solve, or name another user with --user"
        return CheckReport((Finding("user", False, str(exc), remedy, exc.exit_code),))
    run = _CheckRun(account, flags, key_file=keys, sshd_config=sshd_config, client_key=client_key)
    return CheckReport(tuple(_report_once(run.findings(with_trial_jobs=with_trial_jobs))))


def _report_once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out failed findings that repeat an earlier one, since several checks meet the same fault."""
    reported = set()
    for finding in findings:
        if finding.ok is not False or finding.detail not in reported:
            yield finding
        if finding.ok is False:
            reported.add(finding.detail)


@dataclass
class _CheckRun:
    """One run of all checks; ``sshd_values`` and ``services`` are what earlier checks found and later ones need."""

    account: Account
    flags: Mapping[str, Any]
    key_file: Path | None
    sshd_config: Path | None
    client_key: Path | None
    sshd_values: dict[str, list[str]] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)

    def findings(self, *, with_trial_jobs: bool) -> Iterator[Finding]:
        account = self.account
        sshd_findings = list(self._check_sshd())  # first, since the checks of the account need UsePAM
        uses_pam = self.sshd_values.get("usepam", ["yes"])[0] == "yes"
        yield from account_checks.check(account, uses_pam=uses_pam)
        yield from sshd_findings
        yield from run_check("key file", self._check_keys)
        service = self._service()
        yield from run_check("program", lambda: [keys.check_program(service, account)], keys.INSTALL)
        yield from self._check_settings_of_lines(service)
        yield from accounts.check_as(account, lambda: serving.check(service.flags, account))
        if with_trial_jobs:
            yield from run_check(trial_jobs.SOLVES, lambda: self._send_trial_jobs(service))
        key = self.client_key
        if key is not None:
            yield from run_check(session.NAME, lambda: self._check_session(service, key))

    def _check_sshd(self) -> Iterator[Finding]:
        try:
            self.sshd_values = sshd.effective(self.account, self.sshd_config)
        except NovaError as exc:
            is_root = os.geteuid() == 0
            remedy = (
                "correct what sshd reports, then systemctl restart ssh"
                if is_root
                else "run this as root, who can ask sshd"
            )
            yield Finding("sshd", False if is_root else None, str(exc), remedy, exc.exit_code)
            return
        try:
            wall_s = settings.load(self.flags).max_wall
        except NovaError:  # the check "configuration" reports the error
            wall_s = settings.load({"config": "/dev/null"}).max_wall
        yield from run_check("sshd", lambda: sshd.check(self.sshd_values, self.account, wall_s))

    def _check_keys(self) -> Iterator[Finding]:
        patterns = self.sshd_values.get("authorizedkeysfile", ())
        places = [self.key_file.absolute()] if self.key_file else keys.files_of(self.account, patterns)
        existing = [path for path in places if path.exists()]
        if not existing:
            names = ", ".join(map(str, places))
            yield Finding("key file", False, f"no key is authorized: {names} does not exist",
                          "solvehost authorize KEY.pub")  # fmt: skip
        has_valid_key = False
        for path in existing:
            yield keys.check_file(path, self.account)
            yield from accounts.check_as(self.account, lambda path=path: keys.check_readable(path))  # type: ignore[misc]
            for number, line in keys.read_lines(path):
                if isinstance(line, Finding):
                    yield line
                    continue
                yield from keys.check_line(number, line, self.account)
                self._add_service(line)
                has_valid_key = has_valid_key or not keys.is_expired(line)
        if existing and not has_valid_key:
            yield Finding("key file", False, "no key can log in: there is none, or each has expired",
                          "solvehost authorize KEY.pub --replace", 77)  # fmt: skip

    def _add_service(self, line: KeyLine) -> None:
        try:
            service = keys.service_of(line)
        except NovaError:
            return
        if service is not None:
            self.services.append(service)

    def _service(self) -> Service:
        """Return the service to check: the first key's, with the flags if any are given; else this installation."""
        words = tuple(settings.format_flags(self.flags))
        if not self.services:
            return Service(tuple(installation.program()), words, self.flags)
        first = self.services[0]
        return Service(first.program, words, self.flags) if self.flags else first

    def _check_settings_of_lines(self, checked: Service) -> Iterator[Finding]:
        """Yield other keys' settings that cannot be loaded, and a warning if keys differ in more than the client."""
        reported = {_settings_error(checked)}  # the check "configuration" reports it
        for service in self.services:
            try:
                settings.load(service.flags)
            except NovaError as exc:
                if str(exc) in reported:
                    continue
                reported.add(str(exc))
                yield Finding("settings", False, f"of client {service.flags.get('client', 'default')}: {exc}",
                              "solvehost authorize KEY.pub --replace writes the line anew",
                              exc.exit_code)  # fmt: skip
        kinds = {tuple(sorted((k, v) for k, v in s.flags.items() if k != "client")) for s in self.services}
        if len(kinds) > 1 and not self.flags:
            yield Finding("settings", None, f"the keys have {len(kinds)} different sets of settings; the following "
                          "checks are about the first key's", "give another key's flags to check them")  # fmt: skip

    def _send_trial_jobs(self, service: Service) -> Iterator[Finding]:
        try:
            files = _index_files(service)
        except NovaError:
            yield Finding(trial_jobs.SOLVES, None, "not proven, since a check above failed", "first correct that")
            return
        yield from trial_jobs.check(self.account, files, service.program, service.words)

    def _check_session(self, service: Service, key: Path) -> Iterator[Finding]:
        try:
            files = _index_files(service)
        except NovaError:  # the checks above report it; a session may be refused for another reason
            files = ()
        yield from session.check(self.account, self.sshd_values, key, files)


def _index_files(service: Service) -> Sequence[IndexFile]:
    return serving.scan(EngineSetup(settings.load(service.flags))).files


def _settings_error(service: Service) -> str:
    """Return why the settings of a service are invalid, empty if they are valid."""
    try:
        settings.load(service.flags)
    except NovaError as exc:
        return str(exc)
    return ""
