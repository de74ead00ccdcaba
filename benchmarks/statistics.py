"""Statistics of repeated trainings: means, deviations, intervals, paired differences.

A figure with ``±`` is a mean and the sample standard deviation over seeds: how far apart single
trainings are. An interval is that of the mean: how well the mean is known. Neither says how the
test rows were drawn; `binomial_error` does.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean with the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def has_zero(self) -> bool:
        """Whether no difference is inside."""
        return self.low <= 0.0 <= self.high


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation, ``sqrt(sum (x - mean)^2 / (n - 1))``; NaN for one."""
    return statistics.stdev(values) if len(values) > 1 else math.nan


def interval(
    values: Sequence[float], *, test: float = 0.0, confidence: float = CONFIDENCE
) -> Interval:
    """Return the mean of independent values, with its t interval.

    The interval is ``mean ± t s / sqrt(n)``, with ``t`` the quantile of Student's distribution with
    ``n - 1`` degrees of freedom; of a single value it is the whole line.

    Scores of random splits are independent values if the mean over all splits of these rows is
    asked for. If it is that of other rows of the same kind, they are not, since all splits share
    their rows. Then ``1 / n + test / (1 - test)`` is in place of ``1 / n``, with ``test`` the
    fraction of rows that a split evaluates, as if it were the correlation of two splits (Nadeau,
    Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003). It is an
    approximation, mostly too wide.

    Equal values have an interval without width, which says nothing of other values.

    Parameters
    ----------
    values : sequence of float, shape (n,)
    test : float
        0 for values of the same test rows, or for the mean over all splits of the same rows.
    confidence : float
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    quantile = float(stdtrit(len(values) - 1, 0.5 + confidence / 2.0))
    width = quantile * deviation(values) * math.sqrt(1.0 / len(values) + test / (1.0 - test))
    return Interval(mean, mean - width, mean + width)


def of_another(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of independent values, with the interval in which one more of them lies.

    It is ``mean ± t s sqrt(1 + 1 / n)``, with ``t`` as in `interval`, if the values are normally
    distributed.
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    quantile = float(stdtrit(len(values) - 1, 0.5 + confidence / 2.0))
    width = quantile * deviation(values) * math.sqrt(1.0 + 1.0 / len(values))
    return Interval(mean, mean - width, mean + width)


def paired(
    first: Sequence[float],
    second: Sequence[float],
    test: float = 0.0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the mean of the differences ``first - second``, with its t interval.

    Parameters
    ----------
    first, second : sequence of float, shape (n,)
        Values of the same seeds and splits, in the same order.
    test, confidence : float
        See `interval`.

    Raises
    ------
    ValueError
        If one has more values than the other.
    """
    if len(first) != len(second):
        raise ValueError(f"pairs need as many of both, got {len(first)} and {len(second)}")
    differences: list[float] = np.subtract(first, second).tolist()
    return interval(differences, test=test, confidence=confidence)


def binomial_error(fraction: float, rows: int) -> float:
    """Return the standard error ``sqrt(p (1 - p) / n)`` of an accuracy on n test rows.

    It is that of one network on other test rows of the same kind, and stays however many seeds
    there are.
    """
    return math.sqrt(fraction * (1.0 - fraction) / rows)
