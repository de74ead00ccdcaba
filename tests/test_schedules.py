"""Schedules give the rates that the reference's logs print, to the last digit."""

import pytest

from handloom import Constant, InverseTimeDecay
from handloom.errors import ConfigurationError
from handloom.schedules import schedule


@pytest.mark.parametrize(
    ("rate", "decay", "step", "logged"),
    [
        (1.0, 0.01, 9, "0.9174311926605504"),
        (1.0, 0.01, 19, "0.8403361344537815"),
        (0.05, 1e-4, 9, "0.04995504046358278"),
        (0.05, 1e-4, 29, "0.04985541928407619"),
    ],
)
def test_inverse_time_decay_to_the_last_digit(
    rate: float, decay: float, step: int, logged: str
) -> None:
    assert repr(InverseTimeDecay(rate, decay)(step)) == logged


def test_a_number_is_a_constant_schedule() -> None:
    assert schedule(0.5)(1000) == 0.5
    assert schedule(Constant(0.5))(0) == 0.5


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_that_mean_nothing_are_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="learning_rate"):
        schedule(rate)


def test_negative_decay_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="decay"):
        InverseTimeDecay(1.0, -0.1)
