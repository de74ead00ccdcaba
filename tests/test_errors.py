"""Errors are of the library, and checks of arguments refuse all that they should."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from handloom import errors
from handloom.errors import (
    ConfigurationError,
    HandloomError,
    did_you_mean,
    require_bool,
    require_count,
    require_fraction,
    require_instance,
    require_known,
    require_number,
)

NAN, INFINITE = float("nan"), float("inf")


def test_every_error_is_one_of_the_library_and_one_of_python() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and kind.__module__ == errors.__name__
        and not issubclass(kind, Warning)
    ]
    assert len(kinds) > 1
    assert all(issubclass(kind, HandloomError) for kind in kinds)
    for kind in set(kinds) - {HandloomError}:
        assert issubclass(kind, ValueError | AssertionError | ImportError | RuntimeError), kind


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("val_loss", "validation_loss"),
        ("Validation_Loss", "validation_loss"),
        ("acuracy", "accuracy"),
        ("mean_loss_of_rows", "loss"),
        ("zzz", None),
        ("", None),
        (None, None),
    ],
)
def test_the_nearest_name_is_offered(name: object, nearest: str | None) -> None:
    known = ["accuracy", "loss", "validation_loss"]
    assert did_you_mean(name, known) == (f" Did you mean {nearest!r}?" if nearest else "")


def test_an_unknown_name_is_refused_with_all_that_are_known() -> None:
    require_known("thing", "b", ["b", "a"])
    with pytest.raises(ConfigurationError, match=r"unknown thing 'c'; known are: a, b\."):
        require_known("thing", "c", ["b", "a"])


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int8(3), Decimal(3)])
def test_a_number_may_be_of_any_type(value: Any) -> None:
    number = require_number("it", value, minimum=3, maximum=3)
    assert (type(number), number) == (float, 3.0)


NO_NUMBERS = [True, np.True_, None, "high", "0.1", np.str_("0.1"), np.array("0.1"), b"0.1", []]


@pytest.mark.parametrize("value", [*NO_NUMBERS, NAN, INFINITE, -INFINITE, 10**400, 1j])
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="it must be a finite number, got"):
        require_number("it", value)


def test_bounds_are_inclusive_unless_told_otherwise() -> None:
    assert require_number("it", 0, minimum=0, maximum=1) == 0.0
    assert require_number("it", 1, minimum=0, maximum=1, exclusive=True) == 1.0
    with pytest.raises(ConfigurationError, match="number above 0 and at most 1, got 0"):
        require_number("it", 0, minimum=0, maximum=1, exclusive=True)
    with pytest.raises(ConfigurationError, match="number at least 0 and at most 1, got 2"):
        require_number("it", 2, minimum=0, maximum=1)


def test_a_fraction_is_below_one() -> None:
    assert require_fraction("it", 0) == 0.0
    for value in (1.0, -0.1):
        with pytest.raises(ConfigurationError, match="it must be"):
            require_fraction("it", value)


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_a_count_may_be_of_any_type_of_whole_numbers(value: Any) -> None:
    count = require_count("it", value, minimum=2)
    assert (type(count), count) == (int, 2)


@pytest.mark.parametrize("value", [1, -3, 2.0, "2", True, None, NAN])
def test_what_is_no_count_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="it must be a whole number of at least 2, got"):
        require_count("it", value, minimum=2)


@pytest.mark.parametrize("value", [0, 1, None, "yes", np.int64(1)])
def test_a_switch_is_true_or_false_and_nothing_like_it(value: Any) -> None:
    assert require_bool("it", True)
    assert require_bool("it", np.bool_(True)) is True
    with pytest.raises(ConfigurationError, match="it must be True or False, got"):
        require_bool("it", value)


def test_an_object_of_another_class_is_refused() -> None:
    require_instance("it", 1, int)
    with pytest.raises(ConfigurationError, match="it must be an instance of int, got 'a'"):
        require_instance("it", "a", int)
