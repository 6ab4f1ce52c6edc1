"""Lines of ``nova submit --json``: the schema they are held to, and what makes two of them comparable."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA: dict[str, Any] = json.loads(
    resources.files("novacli.reports.results").joinpath("schema.json").read_text("utf-8")
)
_VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def problems(line: Any) -> list[str]:
    """Return what the schema has against an object."""
    return [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(line)]


def _refuse(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")


def read_lines(text: str) -> list[dict[str, Any]]:
    """Return the objects of JSON lines, each held to the schema and to strict JSON (no NaN)."""
    found = [json.loads(line, parse_constant=_refuse) for line in text.splitlines()]
    for line in found:
        assert not problems(line), (problems(line), line)
    return found


def normalised(value: Any, key: str = "") -> Any:
    """Return a line with what differs from run to run and place to place replaced: seconds, ids, directories."""
    if isinstance(value, dict):
        return {k: normalised(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return ["…"] if key == "attempts" else [normalised(v, key) for v in value]
    if isinstance(value, float):
        return 0.0 if key.endswith("_s") else float(f"{value:.6g}")
    if key == "created" or (key == "job" and value is not None):
        return "…"
    if key == "axy":
        return "…"  # which attempt wins depends on the machine
    if isinstance(value, str) and value.startswith("/"):
        return f"…/{value.rpartition('/')[2]}" if key != "directory" else "…"
    return value


def line_of(solved: Any) -> dict[str, Any]:
    """Return the result as it would be printed, held to the schema."""
    (line,) = read_lines(json.dumps(solved.result.to_json(), allow_nan=False))
    return line
