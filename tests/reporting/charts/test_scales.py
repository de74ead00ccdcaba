"""Scales: ticks lie within, are round, and the ends hold every value."""

import numpy as np
import pytest

from handloom.reporting.charts.scales import Scale, bounds


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-3.0, 7.5), (1e-9, 2e-9), (5.0, 1e6)])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_ticks_are_within_the_scale(ends: tuple[float, float], logarithmic: bool) -> None:
    if logarithmic and ends[0] <= 0:
        return
    scale = Scale(*ends, 0.0, 100.0, logarithmic)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(-1e-6 <= scale(tick) <= 100.0 + 1e-6 for tick in ticks)
    assert ticks == sorted(ticks)


@pytest.mark.parametrize("values", [[0.0], [3.0], [-1.0, 2.0], [0.0, 0.0], [1e-12, 5.0], []])
def test_the_ends_hold_every_value_and_differ(values: list[float]) -> None:
    low, high = bounds(values, logarithmic=False)
    assert low < high
    assert all(low <= value <= high for value in values)
    assert low >= 0.0 or min(values) < 0.0


def test_values_that_are_not_finite_do_not_count() -> None:
    assert bounds([np.nan, np.inf, None, 1.0], logarithmic=False) == bounds(
        [1.0], logarithmic=False
    )
    assert bounds([-1.0, 0.0, 10.0], logarithmic=True)[0] > 0.0
