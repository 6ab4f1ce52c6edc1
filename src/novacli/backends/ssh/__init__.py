"""Solve servers that are reached by the system's ``ssh``.

backend         the backend: solving, and jobs left with a server
destinations    the hosts that ``--to`` denotes
command         the ssh command line and its generated configuration
child_process   runs ssh: feeds it, reads from it, limits its time and ends it
limits          raises if a call has run out of time or is cancelled
stderr_log      collects what ssh and the server write to stderr
server          one server, with a method for each verb of the wire protocol
exit_codes      what the exit codes of ssh and of a server mean
retrying        repeats an exchange with a server that is busy or out of reach
server_pool     several servers: what they told of themselves, and which is the least busy
failover        tries one server after the other
solving         solves a job: on one server, or on the next if that fails
detaching       leaves a job with a server
stored_jobs     jobs that were left with a server: their states, results and logs
packing         star lists → a request
unpack          a reply, checked → the job directory
legacy          servers that run the original script, which knows no verbs
checks          what ``nova hosts check`` looks at; its small job comes from sample_field

This module defines what the registry calls, and imports the rest when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from novacli.backends.base import Backend, JobKeeper
    from novacli.config import Config
    from novacli.jobs.remote import RemoteJob
    from novacli.records.check import Check


def connect(config: Config, place: str) -> Backend:
    """Return the backend of the servers that ``place`` denotes; see :func:`novacli.backends.connect`."""
    from novacli.backends.hosts import read_hosts
    from novacli.backends.ssh.backend import SshBackend, refuse_local_indexes
    from novacli.backends.ssh.destinations import resolve

    refuse_local_indexes(config)
    return SshBackend(place, resolve(place, read_hosts(config), config["pools"]), config)


def of_job(config: Config, remote: RemoteJob) -> JobKeeper:
    """Return the backend of the server with which a job was left; see :func:`novacli.backends.of_job`."""
    from novacli.backends.ssh.backend import SshBackend
    from novacli.backends.ssh.stored_jobs import reference_of

    return SshBackend(remote.place, (reference_of(remote).host,), config)


def check_place(config: Config, place: str) -> Iterator[tuple[str, Iterator[Check]]]:
    """Yield each server of a place with its checks; see :func:`novacli.backends.check_place`."""
    from novacli.backends.hosts import read_hosts
    from novacli.backends.ssh.checks import check_server
    from novacli.backends.ssh.command import Ssh
    from novacli.backends.ssh.destinations import resolve
    from novacli.backends.ssh.server import Server

    hosts = resolve(place, read_hosts(config), config["pools"])
    ssh = Ssh.of(config)
    return ((host.name, check_server(Server(host, ssh), config)) for host in hosts)


def check_destination(text: str) -> str:
    """Return ``text`` if it is an ssh destination; see :func:`novacli.backends.kinds.check_destination`."""
    from novacli.backends.ssh import destinations

    return destinations.check_destination(text)
