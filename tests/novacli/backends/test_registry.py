"""Places by their names: what is accepted, and what is refused before anything is looked for."""

from __future__ import annotations

import pytest

from novacli import backends, config
from novacli.errors import UsageError


@pytest.mark.parametrize("name", ["local", "me@host", "one,two"])
def test_a_place_connects_without_looking_for_anything(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So usage errors are reported before missing engines."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert backends.connect(name, config.load()).name == name


@pytest.mark.parametrize("place", ["", "-oProxyCommand=touch x", "a b", "a\tb", "a\nb", "a,,b", "a,-b", "ftp://nova"])
def test_a_place_that_is_not_a_destination_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match="is not an ssh destination"):
        backends.connect(place, config.load())


def test_a_pool_with_such_a_member_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_POOLS", "night=solve1,-oProxyCommand=x")
    with pytest.raises(UsageError, match="is not an ssh destination: it begins with a hyphen"):
        backends.connect("night", config.load())
