"""The statistics of the benchmarks are SciPy's, and their intervals have the stated coverage."""

import math

import numpy as np
import pytest

pytest.importorskip("scipy")

from benchmarks.statistics import binomial_error, deviation, interval, of_another, paired
from scipy import stats

OURS = [0.9112, 0.9126, 0.9119, 0.9152, 0.9120]
THEIRS = [0.9130, 0.9131, 0.9168, 0.9159, 0.9159]


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_interval_of_a_mean_is_that_of_a_t_test(confidence: float) -> None:
    low, high = stats.ttest_1samp(OURS, 0.0).confidence_interval(confidence)
    assert interval(OURS, confidence=confidence) == pytest.approx((np.mean(OURS), low, high))


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_a_paired_difference_is_that_of_a_paired_t_test(confidence: float) -> None:
    low, high = stats.ttest_rel(OURS, THEIRS).confidence_interval(confidence)
    difference = paired(OURS, THEIRS, confidence=confidence)
    assert difference == pytest.approx((np.mean(OURS) - np.mean(THEIRS), low, high))


def test_pairs_that_move_together_are_told_apart_where_unpaired_ones_are_not() -> None:
    better = [value + 0.0005 for value in OURS[:-1]] + [OURS[-1] + 0.0006]
    assert not paired(better, OURS).has_zero
    assert stats.ttest_ind(better, OURS).confidence_interval().low < 0.0


def test_the_deviation_is_that_of_a_sample() -> None:
    assert deviation(OURS) == pytest.approx(stats.tstd(OURS))
    assert math.isnan(deviation(OURS[:1]))


@pytest.mark.parametrize(("correct", "points"), [(8846, 0.32), (9482, 0.22)])
def test_the_error_of_a_test_set_is_the_binomial_one(correct: int, points: float) -> None:
    error = binomial_error(correct / 10_000, 10_000)
    assert error == pytest.approx(stats.binom(10_000, correct / 10_000).std() / 10_000)
    assert round(100 * error, 2) == points


def test_a_single_value_has_no_interval() -> None:
    assert interval([0.9]) == (0.9, -math.inf, math.inf)
    assert paired([0.9], [0.8]).has_zero


def test_pairs_of_unequal_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="got 2 and 1"):
        paired([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("count", "test"), [(3, 0.0), (10, 0.0), (5, 1 / 6)])
def test_nineteen_of_twenty_intervals_hold_the_mean(count: int, test: float) -> None:
    """Splits share a term with the variance that their common rows are said to give."""
    draws = np.random.default_rng(0)
    shared = math.sqrt(test / (1 - test)) * draws.standard_normal((2000, 1))
    values = shared + draws.standard_normal((2000, count))
    intervals = [interval(row.tolist(), test=test) for row in values]
    inside = np.mean([each.low <= 0.0 <= each.high for each in intervals])
    assert inside == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_splits_of_the_same_rows_know_the_mean_of_these_and_less_about_other_rows() -> None:
    """Plain intervals hold the mean over all splits of a table; those of other rows are wider."""
    draws, tables, rows, splits, test = np.random.default_rng(0), 400, 40, 5, 0.25
    values = draws.standard_normal((tables, rows))

    def scores(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        each = []
        for _ in range(count):
            shuffled = draws.permuted(values, axis=1)
            held_out, own = np.split(shuffled, [int(test * rows)], axis=1)
            each.append((held_out < own.mean(axis=1, keepdims=True)).mean(axis=1))
        return np.transpose(each)

    own, of_table = scores(splits), scores(100).mean(axis=1)

    def share(of: np.ndarray[tuple[int], np.dtype[np.float64]], test: float) -> float:
        intervals = [interval(row.tolist(), test=test) for row in own]
        return float(
            np.mean([one.low <= mean <= one.high for one, mean in zip(intervals, of, strict=True)])
        )

    population = np.full(tables, of_table.mean())
    assert share(of_table, 0.0) == pytest.approx(0.95, abs=0.035)
    assert share(population, 0.0) < 0.93
    assert share(population, test) > 0.95


def test_nineteen_of_twenty_further_values_are_in_the_interval_of_another() -> None:
    values = np.random.default_rng(0).standard_normal((4000, 5))
    hits = []
    for *first, another in values:
        _, low, high = of_another(first)
        hits.append(low < another < high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.01)
    assert of_another([0.5]) == (0.5, -math.inf, math.inf)
