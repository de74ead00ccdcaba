"""Scales: validation data that a pipeline did not transform, and targets that are not scaled."""

from typing import Any

import numpy as np

from handloom.estimators.fit_records import FitWarning
from handloom.estimators.regression import Regression
from handloom.estimators.rows import Sample, predict_logits
from handloom.estimators.warn import warn
from handloom.losses import Poisson
from handloom.network import Sequential
from handloom.parameters import Array

FEWEST_ROWS = 10
"""The number of rows that a scale is estimated from."""

MOST_VALUES = 1 << 21
"""The largest number of values that scales are estimated from."""

GROSS, GROSS_IF_SCALED = 10.0, 3.0
"""The factor between the scales of two columns that rows of one source do not differ by; the second
applies if the training rows were standardized, or scaled to the range from 0 to 1. A linear trend,
split by time in halves, has a factor of 3.5."""

WORSE_THAN_MEAN = -0.5
"""The coefficient of determination below which a fit is worse than the mean by a clear margin."""


def warn_of_other_scale(sample: Sample, held_out: Sample) -> None:
    """Warn if ``X_val``, or continuous ``y_val``, has another scale than the training data."""
    if min(len(sample), len(held_out)) < FEWEST_ROWS:
        return
    dense = isinstance(sample.inputs, np.ndarray) and isinstance(held_out.inputs, np.ndarray)
    if dense and differ_grossly(sample.inputs, held_out.inputs):
        warn(
            "X_val has another scale than X, as if a transformer of a pipeline changed X alone: "
            'transform X_val too, with Pipeline(steps, transform_input=["X_val"])',
            UserWarning,
        )


def warn_of_other_targets(sample: Sample, held_out: Sample) -> None:
    """Warn if continuous targets ``y_val`` have another scale than ``y``."""
    if min(len(sample), len(held_out)) < FEWEST_ROWS:
        return
    if differ_grossly(sample.targets, held_out.targets):
        warn(
            "y_val has another scale than y, as if a TransformedTargetRegressor transformed y "
            "alone: pass y_val with the same transformation",
            UserWarning,
        )


def differ_grossly(values: Any, others: Any) -> bool:
    """Return whether most columns of ``others`` have another mean or standard deviation.

    Columns that are constant in one of the two are not compared.

    Parameters
    ----------
    values, others : arrays, shape (n, d) and (m, d)
    """
    known, seen = _some(values), _some(others)
    with np.errstate(all="ignore"):
        mean, spread = known.mean(axis=0), known.std(axis=0)
        other, own = seen.mean(axis=0), seen.std(axis=0)
        varies = (spread > 1e-9 * abs(mean)) & (own > 1e-9 * abs(other))
        if not varies.any():
            return False
        standard = (abs(mean) < 0.05) & (abs(spread - 1.0) < 0.1)
        unit = (abs(known.min(axis=0)) < 1e-6) & (abs(known.max(axis=0) - 1.0) < 1e-6)
        scaled = standard[varies].mean() >= 0.9 or unit[varies].mean() >= 0.9
        factor = GROSS_IF_SCALED if scaled else GROSS
        ratio, shift = own / spread, abs(other - mean) / spread
        differs = (ratio > factor) | (ratio < 1.0 / factor) | (shift > factor)
    return bool(differs[varies].mean() > 0.5)


def _some(values: Any) -> Array:
    """Return at most `MOST_VALUES` values, of evenly spaced rows, in float64."""
    step = 1 + values.size // MOST_VALUES
    some: Array = np.asarray(values[::step], np.float64)
    return some


def worse_than_mean(network: Sequential, task: Any, sample: Sample) -> FitWarning | None:
    """Return a warning about a regression that is worse than the mean, or quantile, of targets."""
    if not isinstance(task, Regression):
        return None
    step = 1 + len(sample) // 1000
    rows = np.arange(0, len(sample), step)
    some = sample.take(rows)
    if not np.ptp(some.targets, axis=0).all():
        return None  # a constant target has no scale
    logits = predict_logits(network, some.inputs, task.loss())
    score = task.score(logits, some.targets, some.weights)
    if not score < WORSE_THAN_MEAN:
        return None
    spread = float(np.min(np.std(some.targets, axis=0)))
    mean = task.score_name == "R^2"
    counts = isinstance(task.loss(), Poisson)  # which a scaler must not move below 0
    how, scaler = ("divide", "with_mean=False") if counts else ("scale", "")
    constant = "predicting the mean of y" if mean else "predicting the same quantile for all rows"
    return FitWarning(
        f"The fit ended as tol asks, but is worse than {constant}: {task.score_name} = {score:.3g} "
        f"on {len(some)} training rows. The standard deviation of y is {spread:.3g}: {how} "
        "the targets to about 1, for instance with sklearn.compose.TransformedTargetRegressor("
        f"regressor, transformer=StandardScaler({scaler}))"
    )
