"""Thinning: long lines keep their ends and their peaks."""

import numpy as np

from handloom.charts.thinning import MOST_POINTS, thinned


def test_a_long_line_keeps_its_extremes() -> None:
    y = list(np.sin(np.arange(100_000) / 50))
    y[51_234], y[77_777] = 40.0, float("nan")
    x, kept = thinned(range(len(y)), y)
    assert len(x) <= 1.05 * MOST_POINTS
    assert x[0] == 0
    assert x[-1] == len(y) - 1
    assert kept[x.index(51_234)] == 40.0
    assert x == sorted(x)


def test_a_short_line_stays_as_it_is_with_gaps_for_what_is_not_finite() -> None:
    assert thinned([1, 2, 3], [0.1, float("inf"), None]) == ([1, 2, 3], [0.1, None, None])
