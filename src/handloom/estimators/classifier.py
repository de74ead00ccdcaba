"""Classifiers on scikit-learn's contract: classes, probabilities and `partial_fit`."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from handloom.estimators.base import NetworkEstimator, goes_step_by_step
from handloom.estimators.classification import Classification
from handloom.estimators.labels import Labels
from handloom.estimators.problem import FitCall
from handloom.parameters import Array


class Classifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """An estimator that predicts one class a row, or several labels."""

    _one_logit: ClassVar[bool] = True
    _task: Classification

    classes_: npt.NDArray[Any]

    @available_if(goes_step_by_step)  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Go on fitting with one epoch over some rows.

        Shuffled batches, dropout and the optimizer go on as in one long fit, so that so many calls
        give the same weights as so many epochs of `fit`.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)
        y : array, shape (n,) or (n, k)
            Not all classes need to be there.
        sample_weight : array, shape (n,), optional
            As in `fit`.
        classes : array, shape (k,), optional
            All classes that there will ever be; the first call needs them.
        X_val, y_val : arrays, optional
            Rows to measure after the epoch. With ``early_stopping`` they are needed; once their
            score has not risen for ``n_iter_no_change`` calls, the best weights are restored.

        Raises
        ------
        ValueError
            As `fit`, and if a class was not announced.
        """
        return self._fit(FitCall(X, y, sample_weight, X_val, y_val, True, classes))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each row, shape (n,), or its labels, shape (n, k).

        Safe to call from several threads at once.

        Raises
        ------
        ValueError
            If rows are not like those of `fit`, or the fit diverged.
        """
        logits = self._logits(X)
        predicted: npt.NDArray[Any] = self._task.decode(logits)
        return predicted

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape (n, k), in the order of ``classes_``.

        Raises
        ------
        ValueError
            As `predict`.
        """
        logits = self._logits(X)
        return self._task.probabilities(logits)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities, out=probabilities)

    def __sklearn_is_fitted__(self) -> bool:
        # weights put in by hand do not say which classes they are for
        return super().__sklearn_is_fitted__() and hasattr(self, "_task")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _learn_task(self, y: Any, call: FitCall, earlier: Classification | None) -> Classification:
        labels = self._learn_labels(y, call, earlier)
        return Classification(labels, self.label_smoothing, self.class_weight)

    def _learn_labels(self, y: Any, call: FitCall, earlier: Classification | None) -> Labels:
        if call.incremental:
            if _check_partial_fit_first_call(self, call.classes):  # which sets classes_
                return Labels.announced(call.classes, y, one_logit=self._one_logit)
            return self._task.labels
        labels = Labels.of(y, one_logit=self._one_logit)
        if earlier is None:
            self.classes_ = labels.classes
            return labels
        if not np.array_equal(labels.classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {labels.classes}"
            )
        return earlier.labels
