"""One server: the command line of each verb, and how its answers are checked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_servers import Servers, make_info

from novacli import config
from novacli.backends.base import UnusableReplyError
from novacli.backends.ssh import server as server_module
from novacli.backends.ssh import stderr_log
from novacli.backends.ssh.command import Ssh
from novacli.backends.ssh.destinations import SshHost
from novacli.backends.ssh.limits import TimeUpError
from novacli.backends.ssh.server import Server
from novacli.errors import DataError, InternalError, TransferError
from novacli.records.budget import Budget
from solvehost.wire import JobLine

LINE = JobLine("a-1", "waiting")


@pytest.fixture
def server(servers: Servers) -> Server:
    servers.add("me@solve1")
    return Server(SshHost("s1", "me@solve1"), Ssh.of(config.load()))


@pytest.fixture
def budget() -> Budget:
    return Budget.of_seconds(30)


VERBS: dict[str, Callable[[Server, Budget], object]] = {
    "solve --detach": lambda server, budget: server.detach(b"request", budget),
    "jobs": lambda server, budget: server.jobs(budget),
    "cancel a-1": lambda server, budget: server.cancel("a-1", budget),
    "rm a-1": lambda server, budget: server.rm("a-1", budget),
}


@pytest.mark.parametrize("words", VERBS)
def test_each_verb_is_sent_and_its_answer_is_parsed(
    server: Server, servers: Servers, budget: Budget, words: str
) -> None:
    servers.has("me@solve1", LINE)
    servers.add("me@solve1", **{words.split(maxsplit=1)[0]: "cat > /dev/null; cat jobs.json"})
    assert VERBS[words](server, budget) in (LINE, [LINE])
    assert servers.calls() == [f"me@solve1 {words}"]


@pytest.mark.parametrize("words", [words for words in VERBS if words != "jobs"])
def test_an_answer_about_several_jobs_is_refused(server: Server, servers: Servers, budget: Budget, words: str) -> None:
    servers.has("me@solve1", LINE, LINE)
    servers.add("me@solve1", **{words.split(maxsplit=1)[0]: "cat > /dev/null; cat jobs.json"})
    with pytest.raises(TransferError, match=rf"s1: it answered {words} with 2 lines instead of 1"):
        VERBS[words](server, budget)


def test_info_is_parsed(server: Server, servers: Servers, budget: Budget) -> None:
    servers.says("me@solve1", make_info(running=1))
    assert server.info(budget) == make_info(running=1)


@pytest.mark.parametrize("code", [0, 1, 2, 63])
def test_a_server_that_answers_nothing_to_info_runs_the_original_script(
    server: Server, servers: Servers, budget: Budget, code: int
) -> None:
    servers.add("me@solve1", info=f"echo 'usage: …' >&2; exit {code}")
    assert server.info(budget) is None


@pytest.mark.parametrize(
    "said", ["python3: can't open file '/opt/solvehost.pyz': [Errno 2] No such file or directory", "Traceback (most"]
)
def test_a_broken_installation_is_not_taken_for_the_original_script(
    server: Server, servers: Servers, budget: Budget, said: str
) -> None:
    servers.add("me@solve1", info=f'echo "{said}" >&2; exit 2')
    with pytest.raises(InternalError, match="s1: the server ended with exit code 2"):
        server.info(budget)


def test_a_failing_solvehost_is_not_taken_for_the_original_script(
    server: Server, servers: Servers, budget: Budget
) -> None:
    servers.add("me@solve1", info="exit 65")
    with pytest.raises(DataError, match="s1: it gave no reason"):
        server.info(budget)


def test_an_exit_code_goes_before_the_error_of_parsing(server: Server, servers: Servers, budget: Budget) -> None:
    servers.add("me@solve1", fetch="echo 'solvehost: every attempt crashed' >&2; exit 70")
    with pytest.raises(InternalError, match="s1: every attempt crashed"):
        server.fetch("a-1", budget)


def test_a_log_is_yielded_as_it_grows(server: Server, servers: Servers) -> None:
    servers.add("me@solve1", log=r"printf 'one\t\303\251\033\n'; exec sleep 1000")
    pieces = server.log("a-1", Budget.of_seconds(1), follow=True)
    assert next(pieces) == "one\té\\x1b\n"
    with pytest.raises(TimeUpError):
        next(pieces)


def test_ssh_ends_if_a_log_is_not_read_to_the_end(server: Server, servers: Servers, budget: Budget) -> None:
    servers.add("me@solve1", log="echo one; exec sleep 1000")
    pieces = server.log("a-1", budget, follow=True)
    assert next(pieces) == "one\n"
    pieces.close()


def test_a_log_that_is_too_long_is_refused(
    server: Server, servers: Servers, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_MAX_LOG_BYTES", 100_000)
    servers.add("me@solve1", log="exec cat /dev/zero")
    with pytest.raises(TransferError, match="s1: the log does not end"):
        for _ in server.log("a-1", budget, follow=False):
            pass


def test_an_error_while_an_answer_is_read_is_no_fault_of_the_answer(
    server: Server, servers: Servers, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job can be fetched again; after an answer that cannot be used it has failed."""
    monkeypatch.setattr(stderr_log, "MAX_BYTES", 100_000)
    servers.add("me@solve1", fetch="yes >&2")
    with pytest.raises(TransferError, match=r"^s1: its log does not end") as caught:
        server.fetch("a-1", budget)
    assert type(caught.value) is TransferError


def test_an_answer_that_cannot_be_used_is_told_from_an_error_while_it_is_read(
    server: Server, servers: Servers, budget: Budget
) -> None:
    servers.sends("me@solve1", b"", verb="fetch")
    with pytest.raises(UnusableReplyError, match=r"^s1: what it sent back cannot be used: nothing was sent"):
        server.fetch("a-1", budget)
