"""Several servers: asked at the same time, ordered by load, their answers kept for a while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_servers import INDEX, Servers, make_info

from novacli import config
from novacli.backends.ssh import server_pool
from novacli.backends.ssh.command import Ssh
from novacli.backends.ssh.destinations import SshHost
from novacli.backends.ssh.exit_codes import RefusedConnectionError
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.server_pool import ServerPool, joined
from novacli.errors import NovaError, RetryLaterError, UnavailableError


@pytest.fixture
def made(servers: Servers) -> Callable[..., ServerPool]:
    def make(*names: str) -> ServerPool:
        settings = config.load()
        return ServerPool([Server(SshHost(n, n), Ssh.of(settings)) for n in names], settings.folders.cache)

    return make


def names(found: list[server_pool.KnownServer]) -> list[str]:
    return [peer.server.name for peer in found]


def test_servers_are_ordered_by_load(made, servers: Servers) -> None:
    for name, slots, running in (("a", 1, 1), ("b", 8, 2), ("c", 2, 1)):
        servers.says(name, make_info(slots=slots, running=running))
    assert names(made("a", "b", "c").in_order()) == ["b", "c", "a"]


def test_the_original_script_counts_as_busy_and_tells_no_index_files(made, servers: Servers) -> None:
    servers.add("old", info="exit 1")
    servers.says("busy", make_info(running=2, waiting=9))
    servers.says("idle", make_info())
    found = made("old", "busy", "idle").in_order()
    assert names(found) == ["idle", "old", "busy"]
    assert (found[1].is_legacy, found[1].index_files()) == (True, None)


def test_index_files_are_those_that_the_server_told(made, servers: Servers) -> None:
    servers.says("a", make_info())
    (file,) = made("a").known()[0].index_files()
    assert (file.path, file.index_id, tuple(file.quads_arcmin)) == (Path(INDEX.name), 4110, (10.0, 2000.0))


def test_a_slow_server_is_left_out_and_named(made, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_pool, "_GRACE_S", 0.2)
    servers.says("quick", make_info())
    servers.add("slow", info="exec sleep 1000")
    asked = made("slow", "quick")
    assert names(asked.in_order()) == ["quick"]
    assert list(asked.errors) == ["slow"]


def test_if_no_server_answers_the_error_names_all(made, servers: Servers) -> None:
    servers.add("a", info="echo 'ssh: connect to host a port 22: No route to host' >&2; exit 255")
    servers.add("b", info="exit 78")
    with pytest.raises(RetryLaterError, match="a: ssh failed: ssh: connect to host a port 22: No route"):
        made("a", "b").in_order()


def test_temporary_errors_decide_the_class_of_joined_errors() -> None:
    busy, wrong = RetryLaterError("b: busy"), UnavailableError("a: none")
    hopeless = RefusedConnectionError("c: ssh failed: Permission denied")
    assert type(joined([wrong, busy])) is RetryLaterError
    assert str(joined([wrong, hopeless, busy])) == "b: busy"
    assert str(joined([hopeless, wrong])) == f"{hopeless}; {wrong}"
    assert str(joined([wrong, wrong])) == "a: none"


@pytest.mark.parametrize("change", ["old", "from the future", "damaged", "nonsense"])
def test_a_damaged_or_old_answer_is_not_used(made, servers: Servers, change: str) -> None:
    servers.says("a", make_info())
    made("a").known()
    (kept,) = (Path(os.environ["XDG_CACHE_HOME"]) / "nova" / "servers").iterdir()
    made("a").known()
    assert len(servers.calls()) == 1
    if change == "damaged":
        kept.write_bytes(kept.read_bytes()[:-20])
    elif change == "nonsense":
        kept.write_text('{"protocols": [1]}')
    else:
        when = time.time() + (-server_pool.MAX_AGE_S - 1 if change == "old" else 1000)
        os.utime(kept, (when, when))
    made("a").known()
    assert len(servers.calls()) == 2


def test_a_forgotten_server_is_asked_again(made, servers: Servers) -> None:
    servers.says("a", make_info())
    asked = made("a")
    asked.forget(asked.known()[0].server)
    asked.known()
    assert len(servers.calls()) == 2


def test_an_error_is_not_kept(made, servers: Servers) -> None:
    servers.add("a", info="exit 78")
    for _ in range(2):
        with pytest.raises(NovaError):
            made("a").known()
    assert len(servers.calls()) == 2
