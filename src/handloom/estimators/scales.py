"""Scales: validation data that a pipeline did not transform, and targets that are not scaled."""

from typing import Any

import numpy as np

from handloom.estimators.fit_records import FitWarning
from handloom.estimators.regression import Regression
from handloom.estimators.rows import Sample, predict_logits
from handloom.estimators.warn import warn
from handloom.losses import (
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    RowLoss,
)
from handloom.network import Sequential
from handloom.parameters import Array

FEWEST_ROWS, FEWEST_IF_SCALED = 10, 20
"""The number of rows that a scale is estimated from; the second for `GROSS_IF_SCALED`, of rows that
are not at the median: almost all of them may be 0."""

MOST_VALUES = 1 << 21
"""The largest number of values that scales are estimated from."""

GROSS, GROSS_IF_SCALED = 10.0, 3.0
"""The factor between the scales of two columns that rows of one source do not differ by; the second
applies if the training rows were standardized, or scaled to the range from 0 to 1. A linear trend,
split by time in halves, has a factor of 3.5."""

WORSE = 1.5
"""The quotient of losses from which a fit is worse than a constant by a clear margin."""


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
    """Return whether most columns of ``others`` have another location and scale.

    Both the means and standard deviations and the medians and median deviations must differ: the
    former depend on the few largest values of heavy tails, the latter differ between rows of one
    source if they form two clusters. Columns that are constant in one of the two are not compared.

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
        differs = varies & _differ(mean, spread, other, own, factor)
        if 2 * differs.sum() <= varies.sum():
            return False
        known, seen = known[:, differs], seen[:, differs]
        (middle, spread, rows), (other, own, others) = _medians(known), _medians(seen)
        few = np.minimum(rows, others) < FEWEST_IF_SCALED
        confirmed = _differ(middle, spread, other, own, np.where(few, GROSS, factor))
    return bool(2 * confirmed.sum() > varies.sum())


def _differ(center: Array, spread: Array, other: Array, own: Array, factor: Any) -> Array:
    """Return the columns whose scales differ by more than a factor, or whose centers do."""
    ratio, shift = own / spread, abs(other - center) / spread
    differ: Array = (ratio > factor) | (ratio < 1.0 / factor) | (shift > factor)
    return differ


def _medians(values: Array) -> tuple[Array, Array, Array]:
    """Return the medians of the columns, those of the deviations that are not 0, and their numbers.

    So the scale of a column that is mostly 0 is that of its other values.
    """
    median = np.median(values, axis=0)
    deviations = np.sort(abs(values - median), axis=0)
    number = (deviations > 0.0).sum(axis=0)
    middle = len(values) - 1 - number // 2
    return median, np.take_along_axis(deviations, middle[None], axis=0)[0], number


def _some(values: Any) -> Array:
    """Return at most `MOST_VALUES` values, of evenly spaced rows, in float64."""
    step = 1 + values.size // MOST_VALUES
    some: Array = np.asarray(values[::step], np.float64)
    return some


def worse_than_mean(network: Sequential, task: Any, sample: Sample) -> FitWarning | None:
    """Return a warning about a regression that is worse than the mean, or quantile, of targets.

    It is measured by the loss that it was trained with; a loss of the caller's is not known to be
    0 for perfect predictions, so it says nothing.
    """
    if not isinstance(task, Regression):
        return None
    step = 1 + len(sample) // 1000
    rows = np.arange(0, len(sample), step)
    some = sample.take(rows)
    if not np.ptp(some.targets, axis=0).all():
        return None  # a constant target has no scale
    loss, measured = task.loss(), f"{len(some)} training rows"
    logits = predict_logits(network, some.inputs, loss)
    if isinstance(loss, Pinball):
        score = task.score(logits, some.targets, some.weights)
        quotient = 1.0 - score
        worse = f"predicting the same quantile for all rows: D^2 = {score:.3g} on {measured}"
    elif isinstance(loss, MeanSquaredError | MeanAbsoluteError | Huber | Poisson):
        quotient = _times_the_mean(loss, logits, some)
        worse = f"predicting the mean of y: its loss on {measured} is {quotient:.3g} times as large"
    else:
        return None
    if not WORSE < quotient < np.inf:
        return None
    spread = float(np.min(np.std(some.targets, axis=0)))
    counts = isinstance(loss, Poisson)  # which a scaler must not move below 0
    how, scaler = ("divide", "with_mean=False") if counts else ("scale", "")
    return FitWarning(
        f"The fit ended as tol asks, but is worse than {worse}. The standard deviation of y is "
        f"{spread:.3g}: {how} the targets to about 1, for instance with "
        "sklearn.compose.TransformedTargetRegressor(regressor, "
        f"transformer=StandardScaler({scaler}))"
    )


def _times_the_mean(loss: RowLoss, logits: Array, sample: Sample) -> float:
    """Return the loss over that of the mean of the targets; the mean over several targets."""
    logits, targets = logits.astype(np.float64), sample.targets.astype(np.float64)
    mean = np.average(targets, axis=0, weights=sample.weights)
    if isinstance(loss, Poisson):
        mean = np.log(mean)
    constant = np.broadcast_to(mean, logits.shape)

    def losses(predictions: Array) -> Array:
        columns = [slice(index, index + 1) for index in range(targets.shape[1])]
        each = (loss(predictions[:, k], targets[:, k], sample.weights)[0] for k in columns)
        return np.fromiter(each, np.float64)

    with np.errstate(all="ignore"):
        return float(np.mean(losses(logits) / losses(constant)))
