"""``@record`` makes a class a frozen dataclass with slots, in a quarter of the time that ``dataclasses`` takes for it.

``dataclass(frozen=True, slots=True)`` compiles seven methods for each class, which takes most of a millisecond, and
``nova submit`` defines about a hundred such classes before it does anything.  Here ``__init__`` alone is compiled, when
it is first used, which half of the classes never need; the other methods are shared by all records.
``dataclasses.replace``, ``fields`` and ``asdict`` work as usual.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

#: The default of a field that has a ``default_factory``.
_FACTORY = type("_Factory", (), {"__repr__": lambda _self: "<factory>"})()


@overload
def record(cls: type[T], /) -> type[T]: ...


@overload
def record(*, eq: bool) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def record(cls: type[T] | None = None, /, *, eq: bool = True) -> Any:
    """Make a class a record: a frozen dataclass with slots.

    Parameters
    ----------
    cls
        The class: its fields with their types, and if necessary a ``__post_init__``.  A record has no base class.
    eq
        False to compare and hash objects by their identity, as for fields that are arrays.
    """
    return (lambda given: _make(given, eq=eq)) if cls is None else _make(cls, eq=eq)


def _make(cls: type[T], *, eq: bool) -> type[T]:
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # dataclass would write the signature, which takes longer than all the rest
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    made.__init__ = _LazyInit(made)
    made._values = property(attrgetter(*made.__dataclass_fields__) if made.__dataclass_fields__ else lambda _self: ())
    for name, method in (_METHODS | _COMPARISONS if eq else _METHODS).items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


class _LazyInit:
    """Stands for the ``__init__`` of a record until that is first looked up, and then replaces itself by it."""

    def __init__(self, cls: Any) -> None:
        self._cls = cls

    def __get__(self, instance: object, owner: type) -> Callable[..., None]:
        self._cls.__init__ = init = _make_init(self._cls)
        return init if instance is None else init.__get__(instance, owner)


def _make_init(cls: Any) -> Callable[..., None]:
    """Return the ``__init__`` of a record."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_FACTORY": _FACTORY}
    parameters, lines = ["self"], []
    for field in dataclasses.fields(cls):
        name = value = field.name
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"], default = field.default_factory, _FACTORY
            value = f"_make_{name}() if {name} is _FACTORY else {name}"
        if default is not dataclasses.MISSING:
            names[f"_default_{name}"] = default
            name = f"{name}=_default_{name}"
        parameters.append(name)
        lines.append(f"_set(self, {field.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}): {'; '.join(lines) or 'pass'}", names)  # noqa: S102 - as dataclass does
    init: Any = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {f.name: f.type for f in dataclasses.fields(cls)} | {"return": None}
    return init  # type: ignore[no-any-return]


# --- The methods that all records share ---------------------------------------------------------------------------


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> bool:
    return bool(self._values == other._values) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._values)


def _refuse(self: object, name: str, value: object = None) -> None:
    del value
    raise dataclasses.FrozenInstanceError(f"cannot change the field {name!r} of a {type(self).__name__}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)


_METHODS: dict[str, Any] = {
    "__repr__": _repr,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
_COMPARISONS: dict[str, Any] = {"__eq__": _eq, "__hash__": _hash}
