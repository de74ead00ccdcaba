"""Regressors on scikit-learn's contract: predictions and `partial_fit`."""

from typing import Any, ClassVar, Self

from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from handloom.estimators.base import NetworkEstimator, supports_partial_fit
from handloom.estimators.fit_records import FitCall
from handloom.estimators.regression import Regression, output_activation, predictions
from handloom.estimators.validation import target_names
from handloom.parameters import Array


class Regressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """An estimator that predicts one continuous target per row, or several."""

    _continuous_targets: ClassVar[bool] = True

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

        Safe to call from several threads at once.

        Raises
        ------
        ValueError
            If the number or the names of the columns differ from those in `fit`, the fit
            diverged, or ``out_activation_`` was set to an unknown name.
        """
        logits = self._logits(X)
        fitted = getattr(self, "out_activation_", None)  # weights that a caller assigned lack it
        return predictions(logits, fitted or output_activation(self.loss))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _task_for(self, y: Any, call: FitCall, earlier: Regression | None) -> Regression:
        if earlier is not None:
            return Regression(earlier.outputs, self.loss, earlier.target_names)
        outputs = 1 if y.ndim == 1 else y.shape[1]
        return Regression(outputs, self.loss, target_names(call.y, outputs))
