"""Regressors on scikit-learn's contract: predictions and `partial_fit`."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from handloom.estimators.base import NetworkEstimator, supports_partial_fit
from handloom.estimators.fit_records import FitCall
from handloom.estimators.losses import check_regression_loss
from handloom.estimators.regression import Regression, predictions
from handloom.estimators.validation import target_names
from handloom.losses import Loss
from handloom.parameters import Array


class Regressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """An estimator that predicts one continuous target per row, or several."""

    _continuous_targets: ClassVar[bool] = True
    _task: Regression | None = None

    loss: str | Loss
    quantile: float | Sequence[float] | None

    @available_if(supports_partial_fit)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Continue the fit with one epoch over the rows of this call.

        Shuffling, dropout and the optimizer's state continue as in one long fit: ``n`` calls give
        the same weights as ``n`` epochs of `fit`.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)
        y : array, shape (n,) or (n, k)
        sample_weight : array, shape (n,), optional
            As in `fit`.
        X_val, y_val : arrays, optional
            Validation data, measured after the epoch. Required by ``early_stopping``; once the
            score has not risen for ``n_iter_no_change`` calls, the best weights are restored.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`.
        """
        return self._fit(FitCall(X, y, sample_weight, X_val, y_val, incremental=True))

    def predict(self, X: Any) -> Array:
        """Return the prediction for each row, shape (n,), or (n, k) for several outputs.

        Several quantiles have a column each; they never cross.

        Safe to call from several threads at once.

        Raises
        ------
        ValueError
            If the number or the names of the columns differ from those in `fit`, the fit
            diverged, or ``out_activation_`` was set to an unknown name.
        """
        logits = self._logits(X)
        activation = getattr(self, "out_activation_", None)
        if activation is None:  # of weights that a caller assigned
            activation = self._task_of(logits.shape[1]).output_activation
        return predictions(logits, activation)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination, R^2, of the predictions.

        With quantiles it is D^2: one minus the quotient of the pinball losses of the predictions
        and of the best constant, the mean over several quantiles. R^2 measures predictions of the
        mean, and no others.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)
        y : array, shape (n,) or (n, k)
        sample_weight : array, shape (n,), optional

        Returns
        -------
        float
            At most 1, that of perfect predictions.

        Raises
        ------
        ValueError
            As `predict`.
        """
        predicted = self.predict(X)
        return self._task_of(1).score_of(y, predicted, sample_weight)

    def _task_of(self, targets: int) -> Regression:
        """Return the task of the fit, or, for weights that a caller assigned, of the parameters."""
        return self._task or Regression(targets, self.loss, quantile=self.quantile)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _task_for(self, y: Any, call: FitCall, earlier: Regression | None) -> Regression:
        check_regression_loss(self.loss, self.quantile)
        targets = 1 if y.ndim == 1 else y.shape[1]
        names = target_names(call.y, targets)
        if earlier is not None:
            targets, names = earlier.targets, earlier.target_names
        task = Regression(targets, self.loss, names, self.quantile)
        if earlier is not None and task.outputs != earlier.outputs:
            raise ValueError(
                f"loss and quantile must give {earlier.outputs} outputs, as in the fit that is "
                f"continued, got {task.outputs}"
            )
        return task
