"""The task protocol: from targets to a loss, and from logits to predictions and a score."""

from typing import Any, Protocol

import numpy.typing as npt

from handloom.data.table_target import TableTarget
from handloom.losses import Loss, Targets
from handloom.parameters import Array
from handloom.training.class_weights import Weights


class Task(Protocol):
    """The prediction problem that a network is fitted to.

    A task is immutable. It has the classes (or the number of targets) and the options that concern
    targets. It holds no rows, and is independent of networks and estimators.
    """

    @property
    def outputs(self) -> int:
        """The number of logits."""

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each class, label or target, for the dataset of the trainer."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """A name for each output, for the models that callbacks save."""

    @property
    def binary_classes(self) -> tuple[str, ...] | None:
        """The two classes of a single output, the logit of the second one; else None."""

    @property
    def single_class(self) -> str | None:
        """The only class of a classification, which is predicted without the network; else None."""

    @property
    def output_activation(self) -> str:
        """Scikit-learn's name of the function from logits to predictions: ``"logistic"``, ..."""

    def table_target(self, name: str) -> TableTarget | None:
        """Return the target as a column of a table, if a model can read it from one."""

    def encode(self, y: Any, dtype: Any) -> Targets:
        """Return encoded targets for the loss.

        Parameters
        ----------
        y : array or sparse matrix, shape (n,) or (n, k)
        dtype : float32 or float64

        Returns
        -------
        array, shape (n,) or (n, outputs)

        Raises
        ------
        ValueError
            If they are invalid for this task.
        """

    def original(self, targets: Targets) -> Any:
        """Return encoded targets as `predict` returns them, for a scorer."""

    def class_weights(
        self, y: Any, sample_weights: Array | None, *, incremental: bool
    ) -> Weights | None:
        """Return the weight of each class, shape (k,), or None if all are equal.

        Parameters
        ----------
        y : array or sparse matrix, shape (n,) or (n, k)
            Of the training rows.
        sample_weights : array, shape (n,), or None
        incremental : bool
            Whether this is a ``partial_fit``, which does not see all rows.
        """

    def row_weights(
        self, y: Any, sample_weights: Array | None, of_classes: Weights | None, dtype: Any
    ) -> Array | None:
        """Return the weight of each row, shape (n,), or None if all are equal.

        Parameters
        ----------
        y : array or sparse matrix, shape (n,) or (n, k)
        sample_weights : array, shape (n,), or None
        of_classes : array of float64, shape (k,), or None
            From `class_weights`.
        dtype : float32 or float64
        """

    def strata(self, targets: Targets) -> npt.NDArray[Any] | None:
        """Return groups to stratify a split by, shape (n,), or None."""

    def loss(self) -> Loss:
        """Return the loss of logits and encoded targets."""

    def score(self, logits: Array, targets: Targets, weights: Array | None) -> float:
        """Return the score of finite logits, shape (n, outputs), which may be overwritten."""

    def decode(self, logits: Array) -> Any:
        """Return the predictions, shape (n,) or (n, k); the logits may be overwritten."""
