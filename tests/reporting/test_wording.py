"""Texts of a page hold no path of a machine, and the numbers of a column are alike."""

import math

import pytest

from handloom.reporting.wording import aligned, amount, decimal, without_paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/anna/data/fashion", "fashion"),
        ("the data at /home/anna/my-data differ", "the data at my-data differ"),
        (r"C:\Users\anna\runs\a", "a"),
        ("~/runs/a", "a"),
        ("T-shirt/top", "T-shirt/top"),
        ("1/2 of 3 / 4", "1/2 of 3 / 4"),
        ("norm/0.dense", "norm/0.dense"),
    ],
)
def test_only_the_last_part_of_a_path_is_shown(text: str, expected: str) -> None:
    assert without_paths(text) == expected


def test_a_column_has_equal_decimals() -> None:
    assert list(aligned({1: 0.3252, 2: 0.327, 3: None}).values()) == ["0.3252", "0.3270", "-"]
    assert list(aligned({1: 284.26, 2: 0.0343}).values()) == ["284.260", "0.034"]
    assert list(aligned({1: 2.0, 2: 1e-9}).values()) == ["2.00e+00", "1.00e-09"]
    assert aligned({1: float("nan")}) == {1: "not finite"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (128_617.3, "128,600"),
        (-4522.9, "-4,523"),
        (12.34567, "12.35"),
        (0.00123456, "0.001235"),
        (2.0, "2"),
        (0.0, "0"),
        (3.2e-7, "3.2e-07"),
        (6.4e13, "6.4e+13"),
        (float("nan"), "not finite"),
    ],
)
def test_amounts_are_in_the_units_of_a_table(value: float, text: str) -> None:
    assert amount(value) == text


def test_what_rounds_to_zero_has_no_sign_and_what_is_huge_an_exponent() -> None:
    assert decimal(-0.00001, 4) == "0.0000"
    assert decimal(-0.5, 1) == "-0.5"
    assert decimal(518542542633842835456.0, 2) == "5.185e+20"
    assert decimal(math.inf, 2) == "not finite"
    assert aligned({1: 518542542633842835456.0, 2: 2.3})[1] == "5.19e+20"
    assert aligned({1: -1e-9, 2: 1.0, 3: 0.5})[1] != "-0.000"
