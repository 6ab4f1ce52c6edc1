"""The error tree: exit codes, and what is worth a retry."""

from __future__ import annotations

import re

import pytest

from solvehost import errors
from solvehost.errors import CommandLineError, NovaError, by_exit_code

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not NovaError]
BY_CODE = {kind.exit_code: kind for kind in CLASSES}


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_each_error_has_a_code_of_sysexits_in_the_tree_of_the_docstring(error: type[NovaError]) -> None:
    """A wrong command line is 64, as in sysexits.h; for nova it is 2, as in click.  255 is left to ssh."""
    assert re.search(rf"── {error.__name__} +{error.exit_code}  ", errors.__doc__ or "")
    assert error.exit_code in {2, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78}


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_docstring_says_whether_a_retry_is_safe_as_the_class_does(error: type[NovaError]) -> None:
    says = error.__doc__ or ""
    assert ("safe to retry" in says) == error.retry_is_safe or error is errors.InputMissingError
    assert "retry" in says or "again" in says


def test_no_two_errors_share_a_code() -> None:
    assert len(BY_CODE) == len(CLASSES)


@pytest.mark.parametrize("code", range(64, 79))
def test_the_class_of_an_exit_code_has_that_code(code: int) -> None:
    assert by_exit_code(code) is BY_CODE.get(code, errors.InternalError)


@pytest.mark.parametrize("code", [1, 2, 255])
def test_a_code_that_is_not_of_sysexits_is_an_internal_error(code: int) -> None:
    assert by_exit_code(code) is errors.InternalError


def test_a_wrong_command_line_is_a_usage_error() -> None:
    with pytest.raises(errors.UsageError, match="upside down"):
        raise CommandLineError("upside down")
