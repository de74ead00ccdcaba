"""Classifiers on scikit-learn's contract: classes, probabilities and `partial_fit`."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from handloom.estimators.base import NetworkEstimator, supports_partial_fit
from handloom.estimators.classification import Classification
from handloom.estimators.fit_records import FitCall
from handloom.estimators.labels import Labels
from handloom.estimators.losses import check_class_loss
from handloom.estimators.validation import target_names
from handloom.losses import Loss
from handloom.parameters import Array


class Classifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """An estimator that predicts one class per row, or several labels (multilabel)."""

    _one_logit: ClassVar[bool] = True
    """Whether two classes have one logit (`MLPClassifier`) or two (`NetworkClassifier`)."""
    _task: Classification

    loss: Loss | None

    classes_: npt.NDArray[Any]

    @available_if(supports_partial_fit)  # type: ignore[untyped-decorator]
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
        """Continue the fit with one epoch over the rows of this call.

        Shuffling, dropout and the optimizer's state continue as in one long fit: ``n`` calls give
        the same weights as ``n`` epochs of `fit`.

        Parameters
        ----------
        X : array or sparse matrix, shape (n, d)
        y : array, shape (n,) or (n, k)
            Not all classes need to occur.
        sample_weight : array, shape (n,), optional
            As in `fit`.
        classes : array, shape (k,), optional
            All classes of all calls; required by the first call.
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
            As `fit`, and if a class is not in ``classes``.
        """
        return self._fit(FitCall(X, y, sample_weight, X_val, y_val, True, classes))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each row, shape (n,), or its labels, shape (n, k).

        Safe to call from several threads at once.

        Raises
        ------
        ValueError
            If the number or the names of the columns differ from those in `fit`, the fit
            diverged, or ``out_activation_`` was set to an unknown name.
        """
        logits = self._logits(X)
        predicted: npt.NDArray[Any] = self._task.decode(logits, self.out_activation_)
        return predicted

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape (n, k), in the order of ``classes_``.

        A single class has two columns, as in scikit-learn: ones, and zeros for another class.

        Raises
        ------
        ValueError
            As `predict`.
        """
        logits = self._logits(X)
        return self._task.probabilities(logits, self.out_activation_)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities, out=probabilities)

    def __sklearn_is_fitted__(self) -> bool:
        # weights that a caller assigned have no classes
        return super().__sklearn_is_fitted__() and self._task is not None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _task_for(self, y: Any, call: FitCall, earlier: Classification | None) -> Classification:
        labels = self._labels_for(y, call, earlier)
        names = earlier.label_names if earlier else target_names(call.y, labels.outputs)
        task = Classification(labels, self.label_smoothing, self.class_weight, names, self.loss)
        check_class_loss(self.loss, task.output_activation, self.label_smoothing)
        return task

    def _labels_for(self, y: Any, call: FitCall, earlier: Classification | None) -> Labels:
        if call.incremental:
            if _check_partial_fit_first_call(self, call.classes):  # which sets classes_
                return Labels.from_classes(call.classes, y, one_logit=self._one_logit)
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
