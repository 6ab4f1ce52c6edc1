"""The errors of nova: one tree with those of solvehost, and the exit code of a call over several inputs."""

from __future__ import annotations

import pytest

import novacli
from novacli import errors
from novacli.errors import NotSolvedError, NovaError, ParameterError, worst_exit_code
from solvehost import errors as solvehost_errors


def test_the_errors_are_those_of_solvehost_and_two_of_the_python_api() -> None:
    own = {kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__}
    assert own == {ParameterError, NotSolvedError}
    assert all(issubclass(kind, NovaError) for kind in own)
    assert novacli.NovaError is solvehost_errors.NovaError


def test_a_wrong_parameter_is_a_usage_error_and_an_unsolved_image_has_the_code_1() -> None:
    assert (ParameterError.exit_code, ParameterError.retry_is_safe) == (2, False)
    assert issubclass(ParameterError, errors.UsageError)
    assert issubclass(ParameterError, ValueError)
    assert (NotSolvedError.exit_code, NotSolvedError.retry_is_safe) == (1, False)


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
