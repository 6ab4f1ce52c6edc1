"""Records behave as frozen dataclasses with slots do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

from solvehost import record as record_module
from solvehost.record import record


@record
class Star:
    """A star with all kinds of fields."""

    x: float
    name: str = "unnamed"
    tags: list[str] = dataclasses.field(default_factory=list)
    secret: str = dataclasses.field(default="s", repr=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is negative")


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """The same as a dataclass."""

    x: float
    name: str = "unnamed"
    tags: list[str] = dataclasses.field(default_factory=list)
    secret: str = dataclasses.field(default="s", repr=False)


@record(eq=False)
class Identity:
    """A record that is compared by its identity."""

    values: list[int]


@record
class One:
    """A record with one field."""

    value: int


@record
class Nothing:
    """A record without fields."""


def test_the_init_of_a_record_is_compiled_once_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[type] = []
    compile_init = record_module._make_init

    def count(cls: Any) -> Any:
        compiled.append(cls)
        return compile_init(cls)

    monkeypatch.setattr(record_module, "_make_init", count)

    @record
    class Late:
        """A record."""

        value: int

    assert compiled == []
    assert (Late(1).value, Late(value=2).value) == (1, 2)
    assert compiled == [Late]


def test_a_record_takes_the_arguments_of_a_dataclass() -> None:
    def parameters(cls: Any) -> list[tuple[str, str]]:
        return [(p.name, str(p.default)) for p in inspect.signature(cls).parameters.values()]

    assert parameters(Star) == parameters(Reference)
    assert Star(1.0, tags=["a"]).tags == ["a"]
    assert Star(1.0).tags is not Star(1.0).tags
    with pytest.raises(TypeError, match=r"Star\.__init__\(\) missing 1 required positional argument: 'x'"):
        Star()  # type: ignore[call-arg]


def test_post_init_checks_the_fields() -> None:
    with pytest.raises(ValueError, match="x is negative"):
        Star(-1.0)


def test_a_record_is_shown_like_a_dataclass() -> None:
    assert repr(Star(1.0, "Vega")) == repr(Reference(1.0, "Vega")).replace("Reference", "Star")


def test_records_are_equal_if_their_fields_are() -> None:
    assert Star(1.0) == Star(1.0)
    assert Star(1.0) != Star(2.0)
    assert Star(1.0) != Reference(1.0)
    assert len({One(1), One(1), One(2)}) == 2
    assert hash(One(1)) != hash(One(2))
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())
    with pytest.raises(TypeError, match="unhashable"):
        hash(Star(1.0))


def test_without_eq_records_are_compared_by_identity() -> None:
    first, second = Identity([1]), Identity([1])
    assert first != second
    assert len({first, second}) == 2


def test_a_record_cannot_be_changed() -> None:
    star = Star(1.0)
    for change in (lambda: setattr(star, "x", 2.0), lambda: delattr(star, "x"), lambda: setattr(star, "y", 2.0)):
        with pytest.raises(dataclasses.FrozenInstanceError, match=r"cannot change the field '[xy]' of a Star"):
            change()
    assert not hasattr(star, "__dict__")


def test_the_functions_of_dataclasses_work() -> None:
    star = Star(1.0, tags=["a"])
    assert dataclasses.replace(star, name="Vega") == Star(1.0, "Vega", ["a"])
    assert dataclasses.asdict(star) == {"x": 1.0, "name": "unnamed", "tags": ["a"], "secret": "s"}
    assert [f.name for f in dataclasses.fields(Star)] == ["x", "name", "tags", "secret"]
    with pytest.raises(ValueError, match="x is negative"):
        dataclasses.replace(star, x=-1.0)
    match star:
        case Star(x, name):
            assert (x, name) == (1.0, "unnamed")


@pytest.mark.parametrize("value", [Star(1.0, tags=["a"]), One(1), Nothing()], ids=lambda v: type(v).__name__)
def test_records_can_be_copied_and_sent_to_other_processes(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert copy.copy(value) == value
