"""The regression task: continuous targets, or counts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import r2_score

from handloom.errors import require_numeric
from handloom.estimators.outputs import activate
from handloom.losses import Loss, MeanSquaredError, Poisson, Targets
from handloom.parameters import Array


@dataclass(frozen=True)
class Regression:
    """The task of predicting continuous targets.

    It implements `handloom.estimators.tasks.Task`.

    Parameters
    ----------
    outputs : int
        The number of targets per row.
    loss_name : {"squared_error", "poisson"}
    target_names : tuple of str, or None
        The columns of a table of targets.
    """

    outputs: int
    loss_name: str = "squared_error"
    target_names: tuple[str, ...] | None = None

    @property
    def output_names(self) -> tuple[str, ...]:
        """The name or the index of each target."""
        return self.target_names or tuple(str(index) for index in range(self.outputs))

    @property
    def binary_classes(self) -> tuple[str, ...] | None:
        """None: there are no classes."""
        return None

    @property
    def output_activation(self) -> str:
        """``"identity"`` or ``"exp"``."""
        return output_activation(self.loss_name)

    def encode(self, y: Any, dtype: Any) -> Targets:
        """Return targets, shape (n, outputs).

        Raises
        ------
        ValueError
            If the number of targets differs, they are not numeric, or one is negative and the loss
            is ``"poisson"``.
        """
        require_numeric("y", np.asarray(y).dtype)
        targets: Targets = np.asarray(y, dtype).reshape(len(y), -1)
        if targets.shape[1] != self.outputs:
            raise ValueError(
                f"y must have {self.outputs} target{'s' if self.outputs > 1 else ''} a row, as in "
                f"the previous fit, got {targets.shape[1]}"
            )
        if self.loss_name == "poisson" and targets.min() < 0:
            raise ValueError(f"y must be at least 0 for loss='poisson', got {targets.min()}")
        return targets

    def row_weights(
        self, y: Any, sample_weights: Array | None, dtype: Any, *, incremental: bool
    ) -> Array | None:
        """Return the sample weights unchanged."""
        return sample_weights

    def strata(self, targets: Targets) -> npt.NDArray[Any] | None:
        """Return None: continuous targets have no groups."""
        return None

    def loss(self) -> Loss:
        """Return the loss that the parameter ``loss`` names."""
        if self.loss_name == "poisson":
            return Poisson()
        # half the squared error, summed over outputs: its gradient is the error
        return MeanSquaredError(factor=self.outputs / 2.0)

    def score(self, logits: Array, targets: Targets, weights: Array | None) -> float:
        """Return the coefficient of determination; NaN if a prediction overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = self.decode(logits)
            if not np.isfinite(predicted).all():
                return float("nan")
            return float(r2_score(targets, predicted, sample_weight=weights))

    def decode(self, logits: Array) -> Array:
        """Return the predictions, shape (n,) or (n, k); the logits may be overwritten."""
        return predictions(logits, self.output_activation)


def output_activation(loss_name: str) -> str:
    """Return the name of the function from logits to predictions."""
    return "exp" if loss_name == "poisson" else "identity"


def predictions(logits: Array, activation: str) -> Array:
    """Return predictions, shape (n,) or (n, k), of logits, shape (n, k), which are overwritten."""
    outputs = activate(logits, activation)
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs
