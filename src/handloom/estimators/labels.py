"""The labels of a classification: from classes to targets, and from logits back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import type_of_target

from handloom.losses import Targets
from handloom.parameters import Array


@dataclass(frozen=True)
class Labels:
    """The classes of a problem, and which kind of problem it is.

    Parameters
    ----------
    classes : array, shape (k,)
        In order.
    multilabel : bool
        Whether a row may have several of them, or none.
    one_logit : bool
        Whether two classes share a logit.
    sparse : bool
        Whether predictions of several labels are sparse, as those that were learned from.
    """

    classes: npt.NDArray[Any]
    multilabel: bool = False
    one_logit: bool = True
    sparse: bool = False

    @classmethod
    def of(cls, y: Any, *, one_logit: bool = True) -> "Labels":
        """Return the labels that occur in ``y``, shape (n,), or (n, k) of zeros and ones.

        Raises
        ------
        ValueError
            If ``y`` holds continuous targets, or several classes a row.
        """
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            return cls(np.arange(y.shape[1]), True, one_logit, not isinstance(y, np.ndarray))
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Unknown label type: {kind}. A classifier needs one class a row, or a 0 or 1 for "
                "each label; numbers are for a regressor."
            )
        return cls(np.unique(y), False, one_logit)

    @classmethod
    def announced(cls, classes: Any, y: Any, *, one_logit: bool = True) -> "Labels":
        """Return the labels that a first ``partial_fit`` announces.

        Several labels a row are those of its ``y``, which has a column for each.

        Parameters
        ----------
        classes : array-like, shape (k,)
        y : array or sparse matrix, shape (n,) or (n, k)
        one_logit : bool
            Whether two classes share a logit.

        Raises
        ------
        ValueError
            As `of`.
        """
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        shown = y if kind.startswith("multilabel") else np.asarray(classes)
        return cls.of(shown, one_logit=one_logit)

    @property
    def independent(self) -> bool:
        """Whether every logit is a binary decision of its own."""
        return self.multilabel or (self.one_logit and len(self.classes) <= 2)

    @property
    def outputs(self) -> int:
        """The number of logits."""
        return 1 if self.independent and not self.multilabel else len(self.classes)

    def encode(self, y: Any, dtype: Any, *, smoothing: float = 0.0) -> Targets:
        """Return targets as a loss takes them.

        Parameters
        ----------
        y : array, shape (n,) or (n, k)
        dtype : float32 or float64
        smoothing : float
            The share of a binary target that is given to both sides alike.

        Returns
        -------
        integer array, shape (n,), or array, shape (n, outputs)
            The index of each row's class; or a probability for each binary decision.

        Raises
        ------
        ValueError
            If a label is not among the classes.
        """
        if self.multilabel:
            if (kind := type_of_target(y, input_name="y")) != "multilabel-indicator":
                raise ValueError(f"Unknown label type: {kind}. y must hold a 0 or 1 for each label")
            positive = np.asarray(y if isinstance(y, np.ndarray) else y.toarray()) > 0
            if positive.ndim != 2 or positive.shape[1] != len(self.classes):
                raise ValueError(
                    f"y must have a column for each of the {len(self.classes)} labels, "
                    f"got shape {positive.shape}"
                )
        else:
            indices = self.indices(y)
            if not self.independent:
                return indices
            positive = (indices == 1)[:, None]
        targets: Targets = positive.astype(dtype)
        if smoothing:
            targets = ((1.0 - smoothing) * targets + smoothing / 2.0).astype(dtype)
        return targets

    def indices(self, y: Any) -> npt.NDArray[np.int64]:
        """Return the index of each row's class, shape (n,).

        Raises
        ------
        ValueError
            If a label is not among the classes.
        """
        if getattr(y, "ndim", 1) != 1:
            raise ValueError(f"y must have one class a row, got shape {y.shape}")
        if len(unknown := np.setdiff1d(y, self.classes)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. "
                f"'y' has {unknown}."
            )
        return np.asarray(np.searchsorted(self.classes, y), np.int64)

    def decode(self, logits: Array) -> Any:
        """Return the predictions, shape (n,) or (n, k), of logits, shape (n, outputs)."""
        if self.multilabel:
            positive = (logits > 0.0).astype(np.int64)
            if self.sparse:
                from scipy.sparse import csr_matrix

                return csr_matrix(positive)
            return positive
        if self.independent:
            last = len(self.classes) - 1
            return self.classes[np.where(logits[:, 0] > 0.0, last, 0)]
        return self.classes[logits.argmax(axis=1)]
