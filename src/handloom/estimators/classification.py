"""The classification task: one class per row, or several labels (multilabel)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.table_target import TableTarget
from handloom.estimators.labels import Labels
from handloom.estimators.outputs import activate
from handloom.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy, Targets
from handloom.parameters import Array
from handloom.predictions import both_classes
from handloom.training.class_weights import (
    Weights,
    balanced_weights,
    row_weights as weights_of_rows,
)

ClassWeight = Mapping[Any, float] | str | None


@dataclass(frozen=True)
class Classification:
    """The task of predicting classes or labels.

    It implements `handloom.estimators.tasks.Task`.

    Parameters
    ----------
    labels : Labels
        The classes.
    label_smoothing : float
        The fraction of every target that is spread evenly over all classes.
    class_weight : mapping, "balanced" or None
        The weight of each class.
    label_names : tuple of str, or None
        The names of several labels a row, the columns of a table.
    own_loss : Loss, optional
        Replaces the cross-entropy.
    """

    labels: Labels
    label_smoothing: float = 0.0
    class_weight: ClassWeight = None
    label_names: tuple[str, ...] | None = None
    own_loss: Loss | None = None

    @property
    def outputs(self) -> int:
        """The number of logits: one for each class or label, or one for two classes."""
        return self.labels.outputs

    @property
    def output_names(self) -> tuple[str, ...]:
        """The name of each output's class; a single output is the logit of the second class."""
        names = self.label_names if self.labels.multilabel else None
        return names or tuple(map(_written, self.labels.classes[-self.outputs :]))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return self.output_names

    @property
    def binary_classes(self) -> tuple[str, ...] | None:
        """The two classes of a single output, the logit of the second one; else None."""
        if self.outputs > 1 or len(self.labels.classes) != 2 or self.labels.multilabel:
            return None
        return tuple(map(_written, self.labels.classes))

    @property
    def single_class(self) -> str | None:
        """The only class, which is predicted without the network; else None."""
        alone = len(self.labels.classes) == 1 and not self.labels.multilabel
        return _written(self.labels.classes[0]) if alone else None

    @property
    def output_activation(self) -> str:
        """``"logistic"`` or ``"softmax"``."""
        return "logistic" if self.labels.uses_sigmoid else "softmax"

    def table_target(self, name: str) -> TableTarget | None:
        """Return the target with its classes; None if cells are not written as the classes are."""
        names = self.binary_classes or self.output_names
        written = all(each == each.strip() for each in names) and all(names)
        if self.labels.multilabel or not written:
            return None
        return TableTarget(name, "classification", names)

    def encode(self, y: Any, dtype: Any) -> Targets:
        """Return class indices, shape (n,), or probabilities, shape (n, outputs).

        Raises
        ------
        ValueError
            If a label is not among the classes.
        """
        return self.labels.encode(y, dtype, smoothing=self.label_smoothing)

    def original(self, targets: Targets) -> Any:
        """Return encoded targets as classes, shape (n,), or labels of 0 and 1, shape (n, k)."""
        if targets.ndim == 1:
            return self.labels.classes[targets]
        return self.labels.decode(np.asarray(targets, np.float64), threshold=0.5)

    def class_weights(
        self, y: Any, sample_weights: Array | None, *, incremental: bool
    ) -> Weights | None:
        """Return the weight of each class, shape (k,), or None if ``class_weight`` is.

        Raises
        ------
        ValueError
            If class weights do not apply to these rows.
        """
        if self.class_weight is None:
            return None
        if self.labels.multilabel:
            raise ValueError(
                "class_weight must be None with several labels a row, which have no single "
                f"class, got {self.class_weight!r}: use sample_weight"
            )
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight must be a dict or None in partial_fit, which does not see all rows, "
                "got 'balanced'"
            )
        if isinstance(self.class_weight, Mapping):
            return _named_weights(self.class_weight, self.labels.classes)
        return balanced_weights(self.labels.indices(y), sample_weights, len(self.labels.classes))

    def row_weights(
        self, y: Any, sample_weights: Array | None, of_classes: Weights | None, dtype: Any
    ) -> Array | None:
        """Return the product of sample weights and class weights, shape (n,)."""
        if of_classes is None:
            return sample_weights
        return weights_of_rows(self.labels.indices(y), sample_weights, of_classes, dtype)

    def strata(self, targets: Targets) -> npt.NDArray[Any] | None:
        """Return the groups of a stratified split: as in scikit-learn, only for two classes.

        Returns
        -------
        array, shape (n,), or None
            The class of each row if there are two classes, else None.
        """
        if self.labels.multilabel or len(self.labels.classes) != 2:
            return None
        second = np.asarray(targets).reshape(-1) > 0.5
        if np.array_equal(self.labels.classes, [0, 1]):
            return second  # the error of a split names False and True, as in scikit-learn
        return self.labels.classes[second.astype(np.intp)]

    def loss(self) -> Loss:
        """Return the cross-entropy, or the loss that replaces it."""
        if self.own_loss is not None:
            return self.own_loss
        if self.labels.uses_sigmoid:
            return BinaryCrossEntropy()  # its targets are smoothed already
        return SoftmaxCrossEntropy(label_smoothing=self.label_smoothing)

    def score(self, logits: Array, targets: Targets, weights: Array | None) -> float:
        """Return the fraction of correct predictions; with several labels all must be correct.

        A single class, which is predicted without the network, has 1: `encode` refuses others.
        """
        if self.single_class is not None:
            return 1.0
        if targets.ndim == 1:
            correct = logits.argmax(axis=1) == targets
        else:
            correct = ((logits > 0.0) == (targets > 0.5)).all(axis=1)
        return float(np.average(correct, weights=weights))

    def decode(self, logits: Array, activation: Any = None) -> Any:
        """Return the most probable classes, shape (n,), or labels of 0 and 1, shape (n, k).

        Parameters
        ----------
        logits : array, shape (n, outputs)
            They may be overwritten.
        activation : str, optional
            Another output activation, whose outputs are compared with 0.5 or with each other.
        """
        if activation in (None, self.output_activation):
            return self.labels.decode(logits)
        return self.labels.decode(activate(logits, activation), threshold=0.5)

    def probabilities(self, logits: Array, activation: Any = None) -> Array:
        """Return the probability of each class, shape (n, k); the logits may be overwritten.

        A single class has two columns, as in scikit-learn, whose tools expect them: its own, all
        ones, and one of zeros.
        """
        if self.single_class is not None and activation in (None, self.output_activation):
            return np.tile(np.array([1.0, 0.0], logits.dtype), (len(logits), 1))
        outputs = activate(logits, activation or self.output_activation)
        return outputs if self.labels.multilabel else both_classes(outputs)


def _written(label: object) -> str:
    """Return a class as text: 3 for 3.0, as scikit-learn's floats of nullable integers are."""
    if isinstance(label, float | np.floating) and label.is_integer():
        return str(int(label))
    return str(label)


def _named_weights(
    class_weight: Mapping[Any, float], classes: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return the class weights of a mapping, shape (k,); a class that is not a key has weight 1."""
    known = classes.tolist()
    by_class = np.array([class_weight.get(label, 1.0) for label in known], np.float64)
    unknown = set(class_weight) - set(known)
    if unknown and not set(known) <= set(class_weight):
        raise ValueError(
            f"class_weight names classes that y does not have: its keys must be among {known}, "
            f"got {sorted(unknown, key=str)}"
        )
    if not (np.isfinite(by_class) & (by_class >= 0.0)).all():
        raise ValueError(f"class_weight must be finite and at least 0, got {class_weight}")
    return by_class
