"""What regressors share: numbers as targets."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from handloom.estimators.base import Given, NetworkEstimator
from handloom.estimators.classification import goes_step_by_step
from handloom.estimators.rows import Sample
from handloom.losses import Loss, MeanSquaredError, Poisson, Targets
from handloom.parameters import Array


class Regressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """An estimator that predicts a number, or several."""

    _numeric_targets: ClassVar[bool] = True
    _targets_a_row: int

    @available_if(goes_step_by_step)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Go on fitting with one epoch over some rows.

        Shuffled batches, dropout and the optimizer go on as in one long fit, so that so many calls
        give the same weights as so many epochs of `fit`.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)
        y : array, shape (n,) or (n, k)
        sample_weight : array, shape (n,), optional
            As in `fit`.
        X_val, y_val : arrays, optional
            Rows to measure after the epoch. With ``early_stopping`` they are needed; once their
            score has not risen for ``n_iter_no_change`` calls, the best weights are restored.

        Raises
        ------
        ValueError
            As `fit`.
        """
        return self._fit(Given(X, y, sample_weight, X_val, y_val, incremental=True))

    def predict(self, X: Any) -> Array:
        """Return the prediction for each row, shape (n,), or (n, k) for several outputs.

        Safe to call from several threads at once.

        Raises
        ------
        ValueError
            If rows are not like those of `fit`, or the fit diverged.
        """
        logits = self._logits(X)  # of weights that may have been put there by hand
        return _predictions(logits, getattr(self, "out_activation_", self._output_activation()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn_targets(self, y: Any, *, going_on: bool, incremental: bool, classes: Any) -> None:
        if not going_on:
            self._targets_a_row = 1 if y.ndim == 1 else y.shape[1]

    def _outputs(self) -> int:
        return self._targets_a_row

    def _output_names(self) -> tuple[str, ...]:
        return tuple(str(place) for place in range(self._targets_a_row))

    def _encode(self, y: Any, dtype: Any) -> Targets:
        numbers: Targets = np.asarray(y, dtype).reshape(len(y), -1)
        if numbers.shape[1] != self._targets_a_row:
            raise ValueError(
                f"y has {numbers.shape[1]} targets a row, but the model predicts "
                f"{self._targets_a_row}"
            )
        if self.loss == "poisson" and numbers.min() < 0:
            raise ValueError(f"loss='poisson' needs y to be at least 0, found {numbers.min()}")
        return numbers

    def _strata(self, sample: Sample) -> npt.NDArray[Any] | None:
        return None

    def _score_logits(self, logits: Array, held: Sample) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = _predictions(logits, self._output_activation())
            if not np.isfinite(predicted).all():
                return float("nan")
            return float(r2_score(held.targets, predicted, sample_weight=held.weights))

    def _loss(self) -> Loss:
        if self.loss == "poisson":
            return Poisson()
        # half the squared error, summed over outputs: its gradient is the error itself
        return MeanSquaredError(factor=self._outputs() / 2.0)

    def _output_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"


def _predictions(logits: Array, activation: str) -> Array:
    """Return numbers, shape (n,) or (n, k), of logits, shape (n, k), which may be written to."""
    if activation == "exp":
        with np.errstate(over="ignore"):
            np.exp(logits, out=logits)
    return logits[:, 0] if logits.shape[1] == 1 else logits
