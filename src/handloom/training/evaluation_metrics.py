"""Metrics of an evaluation: those of two classes, of a regression, and of several quantiles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_known, require_number
from handloom.layers import sigmoid
from handloom.losses import Pinball
from handloom.markup import render, table
from handloom.metrics import brier_score, mean_absolute_error, mean_squared_error, r2, roc_auc
from handloom.parameters import Array

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class BinaryMetrics:
    """The metrics of two classes; see `handloom.metrics` for their formulas.

    Attributes
    ----------
    positive : str
        The name of the positive class: by default the second one, or that of the single output.
    threshold : float
        The probability of the positive class above which a row is predicted as that class.
    roc_auc : float
        The area under the ROC curve; it depends on no threshold. NaN if all rows are of one class.
    brier : float
        The Brier score, the mean squared error of the probability.
    """

    positive: str
    threshold: float
    roc_auc: float
    brier: float

    def _repr_html_(self) -> str:
        """Return the metrics as a table, as a notebook shows them."""
        head = ("positive class", "threshold", "ROC AUC", "Brier score")
        metrics = (f"{each:.4g}" for each in (self.threshold, self.roc_auc, self.brier))
        return render(table(head, [[self.positive, *metrics]]))

    @classmethod
    def of(
        cls, positive: str, targets: npt.NDArray[np.integer], margins: Array, threshold: float
    ) -> Self:
        """Return the metrics of logits of the positive class, shape (n,)."""
        with np.errstate(over="ignore"):
            probabilities = sigmoid(margins.astype(np.float64))
        return cls(
            positive, threshold, roc_auc(targets, margins), brier_score(targets, probabilities)
        )


@dataclass(frozen=True)
class RegressionMetrics:
    """The metrics of continuous targets; see `handloom.metrics` for their formulas.

    Attributes
    ----------
    mse, mae, r2 : float
        The mean squared error, the mean absolute error and the coefficient of determination: means
        over outputs, if there are several. R^2 is NaN if the targets of an output are constant.
    predictions : array, shape (n, k)
    residuals : array of float64, shape (n, k)
        Targets minus predictions: above 0 where a prediction is too low.
    """

    mse: float
    mae: float
    r2: float
    predictions: Array
    residuals: npt.NDArray[np.float64]

    def __repr__(self) -> str:
        return (
            f"RegressionMetrics(mse={self.mse:.4g}, mae={self.mae:.4g}, r2={self.r2:.4g}, "
            f"predictions of shape {self.predictions.shape})"
        )

    @property
    def rmse(self) -> float:
        """The square root of the mean squared error, in the units of the target."""
        return math.sqrt(self.mse)

    @classmethod
    def of(cls, targets: npt.NDArray[np.floating], predictions: Array) -> Self:
        """Return the metrics of predictions; both have shape (n, k)."""
        return cls(
            mean_squared_error(targets, predictions),
            mean_absolute_error(targets, predictions),
            r2(targets, predictions),
            predictions,
            targets.astype(np.float64) - predictions,
        )


@dataclass(frozen=True)
class QuantileMetrics:
    """The metrics of several quantiles of one target.

    Attributes
    ----------
    quantiles : tuple of float, length k
    losses : tuple of float, length k
        The pinball loss of each quantile, in the units of the target; see `handloom.Pinball`.
    coverage : tuple of float, length k
        The fraction of targets at or below the prediction of each quantile ``q``, which should be
        about ``q``: of ``n`` rows, by chance within ``2 sqrt(q (1 - q) / n)``. Of targets with
        equal values it may be larger.
    predictions : array, shape (n, k)
        In ascending order.
    """

    quantiles: tuple[float, ...]
    losses: tuple[float, ...]
    coverage: tuple[float, ...]
    predictions: Array

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{share:.4g} below quantile {q:g}"
            for q, share in zip(self.quantiles, self.coverage, strict=True)
        )
        return f"QuantileMetrics({shares}, pinball loss {np.mean(self.losses):.4g})"

    @classmethod
    def of(
        cls, quantiles: Sequence[float], targets: npt.NDArray[np.floating], predictions: Array
    ) -> Self:
        """Return the metrics of predictions, shape (n, k), for targets, shape (n, 1)."""
        losses = (
            Pinball(q)(predictions[:, [index]], targets)[0] for index, q in enumerate(quantiles)
        )
        coverage = (targets <= predictions).mean(axis=0, dtype=np.float64)
        return cls(tuple(quantiles), tuple(losses), tuple(coverage.tolist()), predictions)


def checked_threshold(threshold: float | None, *, binary: bool) -> float:
    """Return the threshold, by default 1/2.

    Raises
    ------
    ConfigurationError
        If it is not a number above 0 and below 1, or predictions are not of two classes.
    """
    if threshold is None:
        return DEFAULT_THRESHOLD
    if not binary:
        raise ConfigurationError(
            f"threshold is for two classes, got {threshold!r} for a model of something else"
        )
    value = require_number("threshold", threshold, minimum=0.0, exclusive=True)
    if value >= 1.0:
        raise ConfigurationError(f"threshold must be above 0 and below 1, got {threshold!r}")
    return value


def checked_positive(positive: str | None, names: Sequence[str]) -> int:
    """Return the index of the positive class, by default that of the second one of two.

    Raises
    ------
    ConfigurationError
        If it is no class, or predictions are not of two classes.
    """
    if positive is None:
        return 1
    if len(names) != 2:
        raise ConfigurationError(
            f"positive is for two classes, got {positive!r} for a model of something else"
        )
    require_known("positive class", positive, names)
    return tuple(names).index(positive)


def logit(threshold: float) -> float:
    """Return the logit of a probability: exactly 0 for 1/2."""
    return math.log(threshold / (1.0 - threshold))
