"""Schedules: rates as their formulas say, to the last digit where logs print them."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from handloom import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    OneCycle,
    StepDecay,
    Warmup,
)
from handloom.errors import ConfigurationError
from handloom.schedules import SCHEDULES, Schedule, named_schedule, schedule


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


@pytest.mark.parametrize(
    ("made", "rates"),
    [
        (StepDecay(0.8, every=2, factor=0.5), [0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1]),
        (ExponentialDecay(0.8, 0.5), [0.8, 0.4, 0.2, 0.1, 0.05]),
        (LinearDecay(0.8, 4), [0.8, 0.6, 0.4, 0.2, 0.0, 0.0]),
        (
            CosineDecay(0.8, 4),
            [0.8, 0.4 + 0.4 * math.sqrt(0.5), 0.4, 0.4 - 0.4 * math.sqrt(0.5), 0, 0],
        ),
        (CosineDecay(0.8, 2, final=0.2), [0.8, 0.5, 0.2, 0.2]),
        (
            OneCycle(1.0, 9, peak=1 / 3, rise=2, fall=5),
            [0.5, 0.75, 1.0] + [None] * 2 + [0.55, None, None, 0.1, 0.1],
        ),
        (Warmup(3, 0.8), [0.2, 0.4, 0.6, 0.8, 0.8]),
        (Warmup(1, LinearDecay(0.8, 2)), [0.4, 0.8, 0.4, 0.0]),
        (Warmup(1, Warmup(1, 0.8)), [0.2, 0.4, 0.8]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rates_step_by_step(made: Schedule, rates: list[float | None]) -> None:
    for step, expected in enumerate(rates):
        if expected is not None:
            assert made(step) == pytest.approx(expected, rel=1e-14, abs=1e-16)


@pytest.mark.parametrize("name", list(SCHEDULES))
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_every_named_schedule_stays_between_zero_and_its_rate(name: str, steps: int) -> None:
    made = named_schedule(name, 0.25, steps)
    rates = [made(step) for step in range(steps + 5)]
    assert all(0.0 < rate <= 0.25 for rate in rates[:steps])
    assert all(0.0 <= rate <= 0.25 for rate in rates[steps:])
    if name != "one-cycle":
        assert rates[0] == 0.25
        assert rates == sorted(rates, reverse=True)
    if steps == 1000:
        ends = {
            "linear": 0.0,
            "cosine": 0.0,
            "one-cycle": 1e-6,
            "step": 2.5e-3,
            "exponential": 2.5e-3,
        }
        assert name not in ends or rates[steps] == pytest.approx(ends[name], abs=1e-9)


def test_a_name_that_is_unknown_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"'cosin'.*Did you mean 'cosine'"):
        named_schedule("cosin", 0.1, 10)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: StepDecay(0.1, every=0), "every"),
        (lambda: StepDecay(0.1, every=1, factor=0), "factor"),
        (lambda: StepDecay(0.1, every=1, factor=1.5), "factor"),
        (lambda: ExponentialDecay(0.1, 0.0), "factor"),
        (lambda: ExponentialDecay(0.0, 0.5), "learning_rate"),
        (lambda: LinearDecay(0.1, 0), "steps"),
        (lambda: LinearDecay(-0.1, 3), "learning_rate"),
        (lambda: CosineDecay(0.1, 2.5), "steps"),  # type: ignore[arg-type]
        (lambda: CosineDecay(0.1, 3, final=0.2), "final"),
        (lambda: OneCycle(0.1, 3, peak=0), "peak"),
        (lambda: OneCycle(0.1, 3, peak=1), "peak"),
        (lambda: OneCycle(0.1, 3, rise=0.5), "rise"),
        (lambda: OneCycle(0.1, 3, fall=float("inf")), "fall"),
        (lambda: Warmup(0, 0.1), "steps"),
        (lambda: Warmup(3, -0.1), "learning_rate"),
        (lambda: named_schedule("linear", 0.1, 0), "steps"),
    ],
)
def test_numbers_that_mean_nothing_are_refused_by_name(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make()


def test_schedules_are_equal_where_they_say_the_same() -> None:
    assert Warmup(3, LinearDecay(0.1, 5)) == Warmup(3, LinearDecay(0.1, 5))
    assert Warmup(3, LinearDecay(0.1, 5)) != Warmup(3, LinearDecay(0.1, 6))
