"""What the losses of numbers share: every output has a target of its own."""

from math import inf
from typing import ClassVar

from handloom.errors import DataError
from handloom.losses.base import RowLoss, Targets
from handloom.parameters import Array


class OutputLoss(RowLoss):
    """A loss of ``k`` outputs beside as many numbers.

    Targets have shape (n, k), or (n,) where ``k`` is 1.

    Attributes
    ----------
    lowest, highest : float
        What a target may be.
    """

    lowest: ClassVar[float] = -inf
    highest: ClassVar[float] = inf

    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        """Return the targets, shape (n, k), in the predictions' dtype."""
        numbers = as_rows(predictions, targets)
        if self.lowest > -inf or self.highest < inf:
            present = numbers if weights is None else numbers[weights != 0]
            if not ((present >= self.lowest) & (present <= self.highest)).all():
                expected = f"at least {self.lowest:g}" + (
                    f" and at most {self.highest:g}" if self.highest < inf else ""
                )
                raise DataError(
                    f"targets must be {expected}, found {present.min()}..{present.max()}"
                )
        return numbers.astype(predictions.dtype, copy=False)


def as_rows(predictions: Array, targets: Targets) -> Targets:
    """Return targets in the predictions' shape, (n, k).

    Raises
    ------
    DataError
        If they do not have that many numbers a row, or are no numbers.
    """
    n, k = predictions.shape
    if targets.shape != (n, k) and (targets.shape != (n,) or k > 1):
        expected = f"({n}, {k})" + (f" or ({n},)" if k == 1 else "")
        raise DataError(
            f"targets must have shape {expected} to fit predictions of shape ({n}, {k}), "
            f"got {targets.shape}"
        )
    if targets.dtype.kind not in "biuf":
        raise DataError(f"targets must be numbers, got {targets.dtype}")
    rows: Targets = targets.reshape(n, k)
    return rows
