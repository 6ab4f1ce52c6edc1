"""Places to solve, by name."""

from __future__ import annotations

from importlib import import_module

import pytest

from novacli import backends, config
from novacli.errors import UsageError


@pytest.mark.parametrize("name", backends.MODULES)
def test_each_registered_place_connects_without_looking_for_anything(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that usage errors come before missing engines."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert callable(import_module(backends.MODULES[name]).connect)
    assert backends.connect(name, config.load()).name == name


def test_an_unknown_place_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no place to solve called 'nowhere': known are .*local"):
        backends.connect("nowhere", config.load())
