"""Which destinations ssh accepts, and which hosts a place denotes."""

from __future__ import annotations

import pytest

from novacli.backends.ssh.destinations import SshHost, check_destination, resolve
from novacli.errors import UsageError


@pytest.mark.parametrize("text", ["solve1", "me@solve1.example.org", "[::1]", "me@10.0.0.1", "ünicode", "a" * 255])
def test_a_destination_is_accepted(text: str) -> None:
    assert check_destination(text) == text


@pytest.mark.parametrize(
    "text", ["", "-l", "-oProxyCommand=touch x", "a b", "a\tb", "a\nb", "a\x00b", "a\x1bb", "a\u2028b", "a\udcffb",
             "a,b", "https://nova.example.org", "ssh://a", "me@a:2222", "a" * 256],
)  # fmt: skip
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an ssh destination"):
        check_destination(text)


def test_names_and_pools_are_resolved() -> None:
    hosts = {"s1": "me@solve1"}
    pools = {"dome": ("s1", "s2"), "s2": ("never",)}
    assert resolve("dome,s3", hosts, pools) == (SshHost("s1", "me@solve1"), SshHost("s2", "s2"), SshHost("s3", "s3"))


def test_a_server_that_is_named_twice_appears_once() -> None:
    assert resolve("a,b,me@x,a", {"b": "me@x"}, {}) == (SshHost("a", "a"), SshHost("b", "me@x"))


def test_this_machine_cannot_be_one_of_several_places() -> None:
    with pytest.raises(UsageError, match="local cannot be one of several"):
        resolve("solve1,local", {}, {})
