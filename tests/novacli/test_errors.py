"""The error tree: exit codes, what is worth a retry, and how solvehost's errors are told."""

from __future__ import annotations

import re

import pytest

from novacli import errors
from novacli.errors import NovaError, UsageError, from_solvehost, worst_exit_code
from solvehost import errors as solvehost_errors

CLASSES = NovaError.__subclasses__()
SOLVEHOST_CLASSES = solvehost_errors.SolvehostError.__subclasses__()


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_each_error_has_a_code_of_sysexits_in_the_tree_of_the_docstring(error: type[NovaError]) -> None:
    """Usage is 2, as in click; an unsolved image is 1; 255 is left to ssh."""
    assert re.search(rf"── {error.__name__} +{error.exit_code}  ", errors.__doc__ or "")
    assert error.exit_code in {1, 2, 65, 66, 69, 70, 73, 74, 75, 77, 78}


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_docstring_says_whether_a_retry_is_safe_as_the_class_does(error: type[NovaError]) -> None:
    says = error.__doc__ or ""
    assert ("safe to retry" in says) == error.retry_is_safe or error is errors.InputMissingError
    assert "retry" in says or "again" in says


def test_no_two_errors_share_a_code() -> None:
    assert len({c.exit_code for c in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("error", SOLVEHOST_CLASSES, ids=lambda c: c.__name__)
def test_solvehost_errors_keep_message_code_and_safety(error: type[solvehost_errors.SolvehostError]) -> None:
    """Usage is 64 there, as in sysexits.h, and 2 here, as click has it."""
    told = from_solvehost(error("the disk is full"))
    assert str(told) == "the disk is full"
    assert told.exit_code == (2 if error is solvehost_errors.UsageError else error.exit_code)
    assert told.retry_is_safe == error.retry_is_safe or error is solvehost_errors.NoInputError


def test_an_unknown_error_of_solvehost_is_an_internal_one() -> None:
    assert type(from_solvehost(solvehost_errors.SolvehostError("what"))) is errors.InternalError


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([], 0), ([0], 0), ([0, 1, 0], 1), ([1, 75], 75), ([75, 66], 66), ([66, 65, 1], 66), ([2, 1], 2),
        ([78, 69, 75, 1, 0], 78),
    ],
)  # fmt: skip
def test_a_mixed_call_ends_with_its_hardest_failure_then_75_then_1(codes: list[int], worst: int) -> None:
    assert worst_exit_code(codes) == worst
    assert worst_exit_code(codes[::-1]) == worst


def test_usage_is_an_error_of_ours() -> None:
    with pytest.raises(NovaError, match="upside down"):
        raise UsageError("upside down")
