"""What classifiers share: labels, their weights, probabilities."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from handloom.estimators.base import Given, NetworkEstimator
from handloom.estimators.rows import Sample
from handloom.estimators.targets import Labels
from handloom.layers import sigmoid, softmax
from handloom.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy, Targets
from handloom.parameters import Array


def goes_step_by_step(estimator: Any) -> bool:
    """Say whether `partial_fit` is there.

    Raises
    ------
    AttributeError
        If the solver takes all rows at once.
    """
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


class Classifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """An estimator that predicts one class a row, or several labels."""

    _one_logit = True
    _labels: Labels
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
        return self._fit(Given(X, y, sample_weight, X_val, y_val, True, classes))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class of each row, shape (n,), or its labels, shape (n, k).

        Safe to call from several threads at once.

        Raises
        ------
        ValueError
            If rows are not like those of `fit`, or the fit diverged.
        """
        logits = self._logits(X)
        found: npt.NDArray[Any] = self._labels.decode(logits)
        return found

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape (n, k), in the order of ``classes_``.

        Raises
        ------
        ValueError
            As `predict`.
        """
        logits = self._logits(X)
        if not self._labels.independent:
            return softmax(logits, out=logits)
        yes = sigmoid(logits, out=logits)
        if self._labels.multilabel:
            return yes
        return np.hstack([1.0 - yes, yes]) if len(self.classes_) > 1 else np.ones_like(yes)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _learn_targets(self, y: Any, *, going_on: bool, incremental: bool, classes: Any) -> None:
        if incremental:
            if _check_partial_fit_first_call(self, classes):
                kind = type_of_target(y, input_name="y", raise_unknown=True)
                shown = y if kind.startswith("multilabel") else np.asarray(classes)
                self._labels = Labels.of(shown, one_logit=self._one_logit)
            return
        labels = Labels.of(y, one_logit=self._one_logit)
        if not going_on or not hasattr(self, "_labels"):
            self._labels, self.classes_ = labels, labels.classes
        elif not np.array_equal(labels.classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {labels.classes}"
            )

    def _outputs(self) -> int:
        return self._labels.outputs

    def _output_names(self) -> tuple[str, ...]:
        # the single output of two classes is that of the second
        return tuple(str(label) for label in self._labels.classes[-self._outputs() :])

    def _encode(self, y: Any, dtype: Any) -> Targets:
        return self._labels.encode(y, dtype, smoothing=self.label_smoothing)

    def _weights(
        self, X: Any, y: Any, sample_weight: Any, dtype: Any, *, incremental: bool
    ) -> Array | None:
        weights = super()._weights(X, y, sample_weight, dtype, incremental=incremental)
        if self.class_weight is None:
            return weights
        if self._labels.multilabel:
            raise ValueError(
                "class_weight weighs rows by their class, and a row with several labels has no "
                "single class: use sample_weight"
            )
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs to see all rows: for partial_fit, give a dict"
            )
        places = self._labels.places(y)
        by_class = _class_weights(self.class_weight, self.classes_, places, weights)
        of_rows = by_class[places].astype(dtype)
        return of_rows if weights is None else of_rows * weights

    def _strata(self, sample: Sample) -> npt.NDArray[Any] | None:
        if self._labels.multilabel or len(self.classes_) != 2:
            return None
        return np.asarray(sample.targets) > 0.5

    def _score_logits(self, logits: Array, held: Sample) -> float:
        if held.targets.ndim == 1:
            right = logits.argmax(axis=1) == held.targets
        else:
            right = ((logits > 0.0) == (held.targets > 0.5)).all(axis=1)
        return float(np.average(right, weights=held.weights))

    def _loss(self) -> Loss:
        if self._labels.independent:
            return BinaryCrossEntropy()  # its targets are smoothed already
        return SoftmaxCrossEntropy(label_smoothing=self.label_smoothing)

    def _output_activation(self) -> str:
        return "logistic" if self._labels.independent else "softmax"


def _class_weights(
    given: Any,
    classes: npt.NDArray[Any],
    places: npt.NDArray[np.int64],
    weights: Array | None,
) -> npt.NDArray[np.float64]:
    """Return a weight for each class, shape (k,).

    Balanced, they make all classes that occur weigh the same, and all rows together as much as
    before. In a dict a class that is not named weighs 1.
    """
    if given == "balanced":
        found = np.bincount(places, weights, minlength=len(classes))
        present = found > 0
        balanced = np.ones(len(classes))
        balanced[present] = found.sum() / (np.count_nonzero(present) * found[present])
        return balanced
    by_class = np.array([given.get(label, 1.0) for label in classes.tolist()], np.float64)
    unknown = set(given) - set(classes.tolist())
    if unknown and not set(classes.tolist()) <= set(given):
        raise ValueError(
            f"class_weight names classes that y does not have: {sorted(unknown, key=str)}; "
            f"y has {classes.tolist()}"
        )
    if not (np.isfinite(by_class) & (by_class >= 0.0)).all():
        raise ValueError(f"class_weight must be finite and at least 0, got {given}")
    return by_class
