"""Places to solve, by name."""

from __future__ import annotations

from importlib import import_module

import pytest

from novacli import backends, config
from novacli.errors import UsageError


@pytest.mark.parametrize("name", [*backends.MODULES, "me@host", "one,two"])
def test_each_registered_place_connects_without_looking_for_anything(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that usage errors come before missing engines."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert callable(import_module(backends.MODULES[backends.kind_of(name)]).connect)
    assert backends.connect(name, config.load()).name == name


@pytest.mark.parametrize("place", ["", "-oProxyCommand=touch x", "a b", "a\tb", "a\nb", "a,,b", "a,-b", "https://nova"])
def test_what_can_be_no_place_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match="is no ssh destination"):
        backends.connect(place, config.load())


def test_a_pool_of_such_members_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_POOLS", "night=solve1,-oProxyCommand=x")
    with pytest.raises(UsageError, match="is no ssh destination: it begins with a hyphen"):
        backends.connect("night", config.load())
