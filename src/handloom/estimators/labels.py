"""Label encoding: from classes to targets, and from logits to classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import type_of_target, unique_labels

from handloom.losses import Targets
from handloom.parameters import Array


@dataclass(frozen=True)
class Labels:
    """The classes of a problem: binary, multiclass or multilabel.

    Parameters
    ----------
    classes : array, shape (k,)
        In ascending order.
    multilabel : bool
        Whether a row may have several labels, or none.
    one_logit : bool
        Whether two classes share one logit.
    sparse : bool
        Whether multilabel predictions are sparse, like the training targets.
    """

    classes: npt.NDArray[Any]
    multilabel: bool = False
    one_logit: bool = True
    sparse: bool = False

    @classmethod
    def of(cls, y: Any, *, one_logit: bool = True) -> "Labels":
        """Return the labels of ``y``: classes, shape (n,), or zeros and ones, shape (n, k).

        Raises
        ------
        ValueError
            If ``y`` holds continuous targets, several classes per row, or several labels per row
            that are not 0 or 1.
        """
        _require_one_kind(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            _positive(y)
            return cls(np.arange(y.shape[1]), True, one_logit, not isinstance(y, np.ndarray))
        if kind == "unknown" and getattr(getattr(y, "dtype", None), "kind", "") == "O":
            raise ValueError(
                "Unknown label type: y of dtype object must hold strings, got "
                f"{_kind(y.flat[0])}: pass y.astype(int), y.astype(bool) or y.astype(str)"
            )
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                "Unknown label type: y must hold one class a row, or a 0 or 1 for each label, "
                f"got {kind}. Use a regressor for continuous targets."
            )
        return cls(np.unique(y), False, one_logit)

    @classmethod
    def from_classes(cls, classes: Any, y: Any, *, one_logit: bool = True) -> "Labels":
        """Return the labels of the argument ``classes`` of a first ``partial_fit``.

        Multilabel targets have a column of ``y`` for each label.

        Parameters
        ----------
        classes : array-like, shape (k,)
        y : array or sparse matrix, shape (n,) or (n, k)
        one_logit : bool
            Whether two classes share one logit.

        Returns
        -------
        Labels

        Raises
        ------
        ValueError
            As `of`, and if ``classes`` are not the columns of multilabel targets.
        """
        _require_one_kind(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if not kind.startswith("multilabel"):
            return cls.of(np.asarray(classes), one_logit=one_logit)
        known, columns = unique_labels(classes), np.arange(y.shape[1])
        if not np.array_equal(known, columns):
            raise ValueError(
                f"`y` has classes not in `self.classes_`, or fewer: with several labels a row, "
                f"`classes` must be the numbers of its {len(columns)} columns, "
                f"range({len(columns)}), got {known}"
            )
        return cls.of(y, one_logit=one_logit)

    @property
    def uses_sigmoid(self) -> bool:
        """Whether every logit is an independent binary decision, with a sigmoid."""
        return self.multilabel or (self.one_logit and len(self.classes) <= 2)

    @property
    def outputs(self) -> int:
        """The number of logits."""
        return 1 if self.uses_sigmoid and not self.multilabel else len(self.classes)

    def encode(self, y: Any, dtype: Any, *, smoothing: float = 0.0) -> Targets:
        """Return encoded targets for the loss.

        Parameters
        ----------
        y : array, shape (n,) or (n, k)
        dtype : float32 or float64
        smoothing : float
            Label smoothing: the fraction of a binary target that is spread over 0 and 1.

        Returns
        -------
        integer array, shape (n,), or array, shape (n, outputs)
            The class index of each row; or a probability for each binary decision.

        Raises
        ------
        ValueError
            If a label is not among the classes, or is not 0 or 1 where a row has several.
        """
        if self.multilabel:
            if (kind := type_of_target(y, input_name="y")) != "multilabel-indicator":
                raise ValueError(
                    f"Unknown label type: y must hold a 0 or 1 for each label, got {kind}"
                )
            positive = _positive(y)
            if positive.ndim != 2 or positive.shape[1] != len(self.classes):
                raise ValueError(
                    f"y must have a column for each of the {len(self.classes)} labels, "
                    f"got shape {positive.shape}"
                )
        else:
            indices = self.indices(y)
            if not self.uses_sigmoid:
                return indices
            positive = (indices == 1)[:, None]
        targets: Targets = positive.astype(dtype)
        if smoothing:
            targets = ((1.0 - smoothing) * targets + smoothing / 2.0).astype(dtype)
        return targets

    def indices(self, y: Any) -> npt.NDArray[np.int64]:
        """Return the class index of each row, shape (n,).

        Raises
        ------
        ValueError
            If a label is not among the classes.
        """
        if getattr(y, "ndim", 1) != 1:
            raise ValueError(f"y must have one class a row, got shape {y.shape}")
        _require_one_kind(y)
        if len(unknown := np.setdiff1d(y, self.classes)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. "
                f"'y' has {unknown}."
            )
        return np.asarray(np.searchsorted(self.classes, y), np.int64)

    def decode(self, outputs: Array, threshold: float = 0.0) -> Any:
        """Return the predictions, shape (n,) or (n, k).

        Parameters
        ----------
        outputs : array, shape (n, outputs)
            Logits, or values of an output activation.
        threshold : float
            A binary decision is positive above it.
        """
        if self.multilabel:
            positive = (outputs > threshold).astype(np.int64)
            if self.sparse:
                from scipy.sparse import csr_matrix

                return csr_matrix(positive)
            return positive
        if self.uses_sigmoid:
            last = len(self.classes) - 1
            return self.classes[np.where(outputs[:, 0] > threshold, last, 0)]
        return self.classes[outputs.argmax(axis=1)]


def _require_one_kind(y: Any) -> None:
    """Refuse objects of several kinds, such as 1 and "a", which have no order.

    Raises
    ------
    ValueError
        Naming the kinds.
    """
    if not isinstance(y, np.ndarray) or y.dtype.kind != "O":
        return
    kinds = sorted(set(map(_kind, y.flat)))
    if len(kinds) > 1:
        raise ValueError(
            "Unknown label type: y must hold labels of one kind, got "
            f"{' and '.join(kinds)}: pass y.astype(str)"
        )


def _kind(label: object) -> str:
    """Return the name of a label's type; that of Python for a scalar of NumPy."""
    return type(label.item() if isinstance(label, np.generic) else label).__name__


def _positive(y: Any) -> npt.NDArray[np.bool_]:
    """Return which labels the rows of multilabel targets have.

    Raises
    ------
    ValueError
        If a value is neither 0 nor 1: others, such as -1 and 1, would be taken for the same label.
    """
    values = np.asarray(y if isinstance(y, np.ndarray) else y.toarray())
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        raise ValueError(
            f"Unknown label type: y must hold a 0 or 1 for each label, got {values[wrong][0]}"
        )
    return np.asarray(values == 1)
