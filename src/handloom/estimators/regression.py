"""The regression task: continuous targets, counts, or quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import d2_pinball_score, r2_score

from handloom.data.table_target import TableTarget
from handloom.errors import require_numeric
from handloom.estimators.outputs import activate, name_of
from handloom.losses import (
    Huber,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    Targets,
    output_activation_of,
    output_names_of,
)
from handloom.parameters import Array
from handloom.training.class_weights import Weights

LOSS_NAMES = ("squared_error", "absolute_error", "huber", "poisson", "quantile")
"""The names of losses, which are scikit-learn's."""


@dataclass(frozen=True)
class Regression:
    """The task of predicting continuous targets.

    It implements `handloom.estimators.tasks.Task`.

    Parameters
    ----------
    targets : int
        The number of targets per row.
    named_loss : str or Loss
        One of `LOSS_NAMES`, or a loss.
    target_names : tuple of str, or None
        The columns of a table of targets.
    quantile : float or sequence of float, optional
        Of the loss ``"quantile"``.
    """

    targets: int
    named_loss: str | Loss = "squared_error"
    target_names: tuple[str, ...] | None = None
    quantile: float | Sequence[float] | None = None

    @property
    def outputs(self) -> int:
        """The number of outputs: one for each target, or for each quantile of one target."""
        return len(self.output_names)

    @property
    def names(self) -> tuple[str, ...]:
        """The name or the index of each target."""
        return self.target_names or tuple(str(index) for index in range(self.targets))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The name of each output."""
        return output_names_of(self.loss(), self.names)

    @property
    def binary_classes(self) -> tuple[str, ...] | None:
        """None: there are no classes."""
        return None

    @property
    def single_class(self) -> str | None:
        """None: there are no classes."""
        return None

    @property
    def output_activation(self) -> str:
        """``"identity"``, ``"exp"`` or ``"sort"``, or that of a loss of the caller's."""
        return name_of(output_activation_of(self.loss(), None))

    def table_target(self, name: str) -> TableTarget | None:
        """Return a single target, which is not standardized; None for several outputs.

        Several quantiles are outputs of a single target.
        """
        single = isinstance(self.loss(), Pinball) or self.output_names == (name,)
        return TableTarget(name, "regression") if single and self.names == (name,) else None

    def encode(self, y: Any, dtype: Any) -> Targets:
        """Return targets, shape (n, targets).

        Raises
        ------
        ValueError
            If the number of targets differs, they are not numeric, or one is negative and the loss
            is ``"poisson"``.
        """
        require_numeric("y", np.asarray(y).dtype)
        targets: Targets = np.asarray(y, dtype).reshape(len(y), -1)
        if targets.shape[1] != self.targets:
            raise ValueError(
                f"y must have {self.targets} target{'s' if self.targets > 1 else ''} a row, as in "
                f"the previous fit, got {targets.shape[1]}"
            )
        if isinstance(self.loss(), Poisson) and targets.min() < 0:
            raise ValueError(f"y must be at least 0 for loss='poisson', got {targets.min()}")
        return targets

    def original(self, targets: Targets) -> Any:
        """Return targets as a scorer takes them, shape (n,) or (n, k)."""
        return _flat(targets)

    def class_weights(self, y: Any, sample_weights: Array | None, *, incremental: bool) -> None:
        """Return None: there are no classes."""

    def row_weights(
        self, y: Any, sample_weights: Array | None, of_classes: Weights | None, dtype: Any
    ) -> Array | None:
        """Return the sample weights unchanged."""
        return sample_weights

    def strata(self, targets: Targets) -> npt.NDArray[Any] | None:
        """Return None: continuous targets have no groups."""
        return None

    def loss(self) -> Loss:
        """Return the loss that the parameter ``loss`` names."""
        match self.named_loss:
            case "squared_error":
                # half the squared error, summed over outputs: its gradient is the error
                return MeanSquaredError(factor=self.targets / 2.0)
            case "absolute_error":
                return MeanAbsoluteError()
            case "huber":
                return Huber()
            case "poisson":
                return Poisson()
            case "quantile":
                return Pinball(self.quantile)  # type: ignore[arg-type]
        return self.named_loss  # type: ignore[return-value]

    @property
    def score_name(self) -> str:
        """``"R^2"``, or ``"D^2"`` of quantiles."""
        return "D^2" if isinstance(self.loss(), Pinball) else "R^2"

    def score(self, logits: Array, targets: Targets, weights: Array | None) -> float:
        """Return the score of `score_of`; NaN if a prediction overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = self.decode(logits)
            if not np.isfinite(predicted).all():
                return float("nan")
            return self.score_of(targets, predicted, weights)

    def score_of(self, y: Any, predicted: Array, weights: Any) -> float:
        """Return the coefficient of determination, R^2, or D^2 of quantiles.

        D^2 is one minus the quotient of two pinball losses, that of the predictions and that of
        the best constant; the mean over several quantiles.
        """
        loss = self.loss()
        if not isinstance(loss, Pinball):
            return float(r2_score(y, predicted, sample_weight=weights))
        columns = predicted.T if len(loss.quantiles) > 1 else [predicted]
        scores = [
            d2_pinball_score(_flat(np.asarray(y)), column, alpha=q, sample_weight=weights)
            for q, column in zip(loss.quantiles, columns, strict=True)
        ]
        return float(np.mean(scores))

    def decode(self, logits: Array) -> Array:
        """Return the predictions, shape (n,) or (n, k); the logits may be overwritten."""
        return predictions(logits, self.output_activation)


def predictions(logits: Array, activation: str) -> Array:
    """Return predictions, shape (n,) or (n, k), of logits, shape (n, k), which are overwritten."""
    outputs: Array = _flat(activate(logits, activation))
    return outputs


def _flat(columns: Any) -> Any:
    """Return a single column, shape (n, 1), as (n,)."""
    return columns[:, 0] if columns.ndim == 2 and columns.shape[1] == 1 else columns
