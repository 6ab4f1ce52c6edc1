"""``hosts.toml``: how it is written and read, and what is refused."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from novacli import config
from novacli.backends.hosts import add_host, check_name, hosts_file, read_hosts, remove_host
from novacli.config import Config
from novacli.errors import ConfigError, InputMissingError, UsageError


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return config.load({"HOME": str(tmp_path), "NOVA_POOLS": "dome=a,b"})


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "local", "ä", "a" * 65])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a host"):
        check_name(name)


def test_hosts_keep_the_order_in_which_they_were_added(settings: Config) -> None:
    assert read_hosts(settings) == {}
    add_host(settings, "s1", "me@solve1")
    add_host(settings, "s.2", "it's\\odd\"ä")
    add_host(settings, "s1", "me@solve1b")
    assert list(read_hosts(settings).items()) == [("s1", "me@solve1b"), ("s.2", "it's\\odd\"ä")]
    remove_host(settings, "s1")
    assert read_hosts(settings) == {"s.2": "it's\\odd\"ä"}


def test_the_file_is_whole_and_closed_to_other_users(settings: Config) -> None:
    add_host(settings, "s1", "solve1")
    path = hosts_file(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["hosts.toml"]


def test_hosts_added_at_the_same_time_are_all_kept(settings: Config) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add_host(settings, f"s{n}", f"solve{n}"), range(24)))
    assert len(read_hosts(settings)) == 24


@pytest.mark.parametrize(
    ("name", "destination"), [("-x", "a"), ("a", "-oX"), ("a", "b c"), ("local", "a"), ("dome", "a"), ("a", "local")]
)
def test_a_malformed_host_is_refused_and_nothing_changes(settings: Config, name: str, destination: str) -> None:
    with pytest.raises(UsageError):
        add_host(settings, name, destination)
    assert not hosts_file(settings).exists()


def test_an_unknown_host_cannot_be_removed(settings: Config) -> None:
    with pytest.raises(InputMissingError, match="there is no host 'x'"):
        remove_host(settings, "x")


@pytest.mark.parametrize(
    "text", ["[hosts", "hosts = 3", '[hosts]\na = "-oX"', "[hosts]\na = 3", '[hosts]\n"a b" = "c"']
)
def test_a_damaged_file_is_an_error_and_is_not_changed(settings: Config, text: str) -> None:
    path = hosts_file(settings)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"hosts\.toml"):
        add_host(settings, "s1", "solve1")
    assert path.read_text() == text
