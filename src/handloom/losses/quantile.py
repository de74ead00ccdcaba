"""The pinball loss, whose best prediction is a quantile of the targets, or several quantiles."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from handloom.errors import ConfigurationError, DataError, require_numeric
from handloom.losses.base import Loss, Targets
from handloom.losses.outputs import OutputLoss
from handloom.operations import ErrorLoss
from handloom.parameters import Array

INFIX = ", quantile "
"""The text between the name of the target and the quantile in the name of an output."""


def quantiles_of(loss: Loss) -> tuple[float, ...] | None:
    """Return the quantiles of a loss of several; None of any other loss."""
    if isinstance(loss, Pinball) and loss.output_activation == "sort":
        return loss.quantiles
    return None


def quantiles_in(output_names: Sequence[str]) -> tuple[float, ...] | None:
    """Return the quantiles that `Pinball.output_names` named; None if there are other names."""
    parts = [name.rpartition(INFIX) for name in output_names]
    starts = {target + infix for target, infix, _ in parts}
    if len(starts) != 1 or "" in starts:
        return None
    try:
        return Pinball([float(quantile) for _, _, quantile in parts]).quantiles
    except ValueError:
        return None


class Pinball(OutputLoss):
    """Pinball loss, or quantile loss: its best prediction is a quantile of the targets.

    For a row of predictions ``z`` with targets ``t``, errors ``e = z - t`` and a quantile ``q``::

        loss = 1 / k  sum_j  max((1 - q) e_j, -q e_j)
        dz_j = 1 / k  (1 - q) where e_j > 0, -q where e_j < 0        (0 where e_j is 0)

    With ``q = 0.9`` a prediction below its target costs nine times as much as one as far above it,
    so that nine of ten targets end up below their predictions. With ``q = 0.5`` it is half the mean
    absolute error, and the prediction with the least loss is the median.

    **Several quantiles** of one target have an output each, and ``q_j`` replaces ``q``. The
    predictions are the outputs in ascending order, so that no quantile is above a higher one; the
    loss is that of these predictions. Sorting never increases the loss, and its gradient returns to
    the output that each prediction came from.

    Predictions have shape (n, k). For one quantile targets have shape (n, k), or (n,) where ``k``
    is 1; for several, shape (n,) or (n, 1).

    Parameters
    ----------
    quantile : float or sequence of float
        Above 0 and below 1; several in ascending order.

    Attributes
    ----------
    quantiles : tuple of float

    Raises
    ------
    ConfigurationError
        If a quantile is not between 0 and 1, or several are not in ascending order.

    References
    ----------
    Koenker, Bassett, "Regression Quantiles", Econometrica 46, 1978; Chernozhukov, Fernández-Val,
    Galichon, "Quantile and Probability Curves Without Crossing", Econometrica 78, 2010, on sorting.
    """

    kind = "pinball"

    def __init__(self, quantile: float | Sequence[float] = 0.5) -> None:
        several: Any = quantile if np.ndim(quantile) else [quantile]
        self.quantiles = tuple(_checked(each) for each in several)
        if not self.quantiles or any(low >= high for low, high in pairwise(self.quantiles)):
            raise ConfigurationError(
                f"quantile must be one number, or several in ascending order, got {quantile!r}"
            )
        if len(self.quantiles) > 1:
            self.output_activation = "sort"  # type: ignore[misc]  # of one, that of the class

    def config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        quantiles = self.quantiles
        return {"quantile": quantiles[0] if len(quantiles) == 1 else list(quantiles)}

    def as_operation(self) -> ErrorLoss | None:
        """Return the loss of one quantile as a record; there is none for several."""
        return ErrorLoss("pinball", self.quantiles[0]) if len(self.quantiles) == 1 else None

    def output_names(self, target_names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the outputs: for several quantiles ``"price, quantile 0.9"``.

        Raises
        ------
        DataError
            If there are several quantiles of several targets.
        """
        if len(self.quantiles) == 1:
            return target_names
        if len(target_names) != 1:
            raise DataError(
                "a loss of several quantiles takes one continuous target a row, got "
                f"{len(target_names)}: train a network for each target"
            )
        return tuple(f"{target_names[0]}{INFIX}{q}" for q in self.quantiles)

    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        """Return the targets in the predictions' dtype, shape (n, k); for several quantiles (n, 1).

        Raises
        ------
        DataError
            If shapes do not match: of several quantiles, predictions must have an output for each,
            and targets one for each row.
        """
        n, k = predictions.shape
        if len(self.quantiles) == 1:
            return super().check_targets(predictions, targets, weights)
        if k != len(self.quantiles):
            raise DataError(
                f"predictions must have shape ({n}, {len(self.quantiles)}), an output for each "
                f"quantile, got {predictions.shape}"
            )
        if targets.shape not in ((n,), (n, 1)):
            raise DataError(
                f"targets must have shape ({n},) or ({n}, 1), one target for all quantiles, got "
                f"{targets.shape}"
            )
        require_numeric("targets", targets.dtype)
        column: Targets = targets.reshape(n, 1).astype(predictions.dtype, copy=False)
        return column

    def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        """Return the loss of each row and write its gradient."""
        if len(self.quantiles) == 1:
            return self._pinball(predictions, targets, gradient)
        order = predictions.argsort(axis=1, kind="stable")  # of equal outputs the first is lower
        ascending = np.take_along_axis(predictions, order, axis=1)
        slopes = np.empty_like(ascending)
        losses = self._pinball(ascending, targets, slopes)
        np.put_along_axis(gradient, order, slopes, axis=1)
        return losses

    def _pinball(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
        q = np.array(self.quantiles, predictions.dtype)
        errors = predictions - targets
        # 0 at an error of 0; NaN stays NaN
        gradient[...] = np.where(errors > 0, 1 - q, np.where(errors < 0, -q, errors))
        losses = (gradient * errors).mean(axis=1, dtype=np.float64)
        gradient *= 1.0 / gradient.shape[1]
        return np.asarray(losses)


def _checked(quantile: object) -> float:
    """Return a quantile.

    Raises
    ------
    ConfigurationError
        If it is not a number above 0 and below 1.
    """
    try:
        value = float("nan") if isinstance(quantile, bool | str) else float(quantile)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = float("nan")
    if not 0.0 < value < 1.0:
        raise ConfigurationError(f"quantile must be above 0 and below 1, got {quantile!r}")
    return value
