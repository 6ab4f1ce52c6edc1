"""``nova retry``: try jobs again from their star lists."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import click

from novacli.cli.jobargs import JOBS, JOBS_DIR, load_config
from novacli.cli.progress import progress
from novacli.cli.selection import ErrorCollector, select_jobs
from novacli.errors import NovaError, RetryLaterError, UsageError
from novacli.jobs.filters import build_filter
from novacli.jobs.store import JobStore
from novacli.jobs.summaries import STATES, read_result
from novacli.records.progress import Progress
from novacli.records.status import REMOTE
from novacli.reports.results import open_report
from novacli.text.printable import printable_line
from solvehost.formats.jobdir import RUNNING

if TYPE_CHECKING:
    from novacli.backends.base import Backend
    from novacli.config import Config
    from novacli.reports.results import Report
    from solvehost.formats.jobdir import JobDir

#: The place that is this machine.
LOCAL = "local"
_RETRIABLE = tuple(state for state in STATES if state not in ("solved", RUNNING, REMOTE))


@click.command("retry")
@JOBS
@click.option("--state", "states", multiple=True, type=click.Choice(_RETRIABLE), help="All in this state; repeatable.")
@click.option("--to", "place", metavar="PLACE", help="Where to solve.  [default: where the job was submitted to]")
@click.option("--timeout", type=float, metavar="S", help="Wall-clock seconds a job may take.  [default: as before]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job.")
@click.option("-v", "--verbose", is_flag=True, help="Report each step on stderr.")
@JOBS_DIR
def command(
    jobs: tuple[str, ...],
    states: tuple[str, ...],
    place: str | None,
    timeout: float | None,
    as_json: bool,
    verbose: bool,
    jobs_dir: str | None,
) -> int:
    """Try jobs again from the star lists that they keep; the image is not needed.

    JOB is an id from nova jobs, the beginning of one, or "last".  Exit codes are those of nova submit.
    """
    if timeout is not None and not 0 < timeout < math.inf:
        raise UsageError(f"time-out {timeout:g} is not above zero: give seconds")
    config = load_config(jobs_dir)
    errors = ErrorCollector()
    chosen = select_jobs(JobStore(config["jobs_dir"]), jobs, build_filter(states), errors)
    report = open_report("json" if as_json else "table", sys.stdout)
    connections = _Connections(config)
    for job in chosen:
        try:
            backend = connections.backend_for(job, place)
            errors.add(_retry(job, config, backend, report, timeout, verbose))
        except NovaError as exc:
            errors.report(exc)
    return errors.exit_code


class _Connections:
    """The backends of the jobs of one call, each connected once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._backends: dict[object, Backend] = {}

    def backend_for(self, job: JobDir, place: str | None) -> Backend:
        """Return the backend of ``place``, by default the one that the job was submitted to.

        On this machine it uses the index files and the engine configuration that the job was submitted with.

        Raises
        ------
        RetryLaterError
            If a server has the job, and no place is given.
        NovaError
            If the place cannot be connected to.
        """
        from novacli import backends
        from novacli.jobs.request import JobRequest, read_request

        if place is None and read_result(job).status == REMOTE:
            raise RetryLaterError(f"job {job.job_id} is with a server: use nova fetch, or name another place with --to")
        request = read_request(job) or JobRequest()
        where = place or request.place
        config, params = self._config, request.params
        if where == LOCAL and params is not None:
            config = params.configure(config)
        key = (where, config["index"], config["engine_config"])
        if key not in self._backends:
            self._backends[key] = backends.connect(where, config)
        return self._backends[key]


def _retry(
    job: JobDir, config: Config, backend: Backend, report: Report, timeout_s: float | None, verbose: bool
) -> int:
    from novacli.matchers.patterns import installed_matcher
    from novacli.pipeline.context import Context
    from novacli.pipeline.retry import retry_job

    with progress(verbose=verbose) as observe:
        context = Context(config["jobs_dir"], backend, Progress(observe), matcher=installed_matcher(config))
        result = retry_job(job, context, timeout_s).result
    report.add(result)
    if result.error is not None:
        click.echo(f"nova: {printable_line(result.error.message)}", err=True)
    return result.exit_code
