"""What ``--to`` may name."""

from __future__ import annotations

import pytest

from novacli.backends.ssh.destinations import Place, check_destination, check_name, resolve
from novacli.errors import UsageError


@pytest.mark.parametrize("text", ["solve1", "me@solve1.example.org", "[::1]", "me@10.0.0.1", "ünicode", "a" * 255])
def test_what_ssh_may_be_told(text: str) -> None:
    assert check_destination(text) == text


@pytest.mark.parametrize(
    "text", ["", "-l", "-oProxyCommand=touch x", "a b", "a\tb", "a\nb", "a\x00b", "a\x1bb", "a\u2028b", "a\udcffb",
             "a,b", "https://nova.example.org", "ssh://a", "me@a:2222", "a" * 256],
)  # fmt: skip
def test_what_ssh_is_never_told(text: str) -> None:
    with pytest.raises(UsageError, match="is no ssh destination"):
        check_destination(text)


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "local", "ä", "a" * 65])
def test_what_can_be_no_name(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a host"):
        check_name(name)


def test_names_stand_for_destinations_and_pools_for_names() -> None:
    hosts = {"s1": "me@solve1"}
    pools = {"dome": ("s1", "s2"), "s2": ("never",)}
    assert resolve("dome,s3", hosts, pools) == (Place("s1", "me@solve1"), Place("s2", "s2"), Place("s3", "s3"))


def test_a_server_named_twice_is_asked_once() -> None:
    assert resolve("a,b,me@x,a", {"b": "me@x"}, {}) == (Place("a", "a"), Place("b", "me@x"))


def test_this_machine_is_not_one_of_several() -> None:
    with pytest.raises(UsageError, match="local cannot be one of several"):
        resolve("solve1,local", {}, {})
