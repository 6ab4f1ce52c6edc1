"""JSON → ``StarList``.

Three shapes: ``{"x": […], "y": […], "flux" or "mag": […], "width": …, "height": …}``, a list of ``[x, y]`` or
``[x, y, flux]``, and a list of objects such as ``{"x": …, "y": …, "mag": …}``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from novacli.errors import DataError
from novacli.inputs import headers, starlist
from novacli.inputs.tables import read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs.source import ReadOptions, Source
    from novacli.records.field import HeaderValue, StarList

_BY_POSITION = ("x", "y", "flux")


def read(source: Source, options: ReadOptions) -> StarList:
    """Return the list of stars.

    Raises
    ------
    DataError
        The file is not valid JSON, or has another shape.
    """
    try:
        document = json.loads(read_text(source, options))
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{source.shown} is not valid JSON: export it again") from exc
    lists, header = _as_lists(document)
    columns = starlist.pick_columns(list(lists))
    if columns is None:
        raise DataError(f"{source.shown} is JSON, but not a list of stars: give x and y as lists, or a list of [x, y]")
    if len({len(lists[name]) for name in columns.names}) != 1:
        raise DataError(f"{source.shown}: its lists {', '.join(columns.names)} differ in length: export it again")
    options.limits.check_stars(source.shown, len(lists[columns.x]))
    values = {name: _numbers(lists[name]) for name in columns.names}
    found = starlist.FoundStars(columns, values, header, declared_size=starlist.declared_size(header))
    return starlist.build(found, source, options)


def _as_lists(document: Any) -> tuple[dict[str, list[Any]], dict[str, HeaderValue]]:
    """Return columns by name and the other entries; no columns if the document has another shape."""
    if isinstance(document, dict):
        lists = {key: value for key, value in document.items() if isinstance(value, list)}
        return lists, headers.plain(document.items())
    if not isinstance(document, list) or not document:
        return {}, {}
    if all(isinstance(row, dict) for row in document):
        # The keys of the first star are the columns.
        return {key: [row.get(key) for row in document] for key in document[0]}, {}
    if all(isinstance(row, list) and len(row) >= 2 for row in document):
        width = min(len(_BY_POSITION), *map(len, document))
        return {name: [row[k] for row in document] for k, name in enumerate(_BY_POSITION[:width])}, {}
    return {}, {}


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    """Return a JSON value as a number; NaN if it is not one."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")
