"""Base class of the losses with one target for each output, such as regression losses."""

from math import inf
from typing import ClassVar

from handloom.errors import DataError, require_numeric
from handloom.losses.base import RowLoss, Targets
from handloom.parameters import Array


class OutputLoss(RowLoss):
    """Base class of losses of ``k`` outputs with ``k`` targets.

    Targets have shape (n, k), or (n,) where ``k`` is 1.

    Attributes
    ----------
    lowest, highest : float
        The range of valid targets.
    """

    output_activation: ClassVar[str] = "identity"
    lowest: ClassVar[float] = -inf
    highest: ClassVar[float] = inf

    def check_targets(self, predictions: Array, targets: Targets, weights: Array | None) -> Targets:
        """Return the targets, shape (n, k), in the predictions' dtype."""
        values = as_rows(predictions, targets)
        if self.lowest > -inf or self.highest < inf:
            present = values if weights is None else values[weights != 0]
            if not ((present >= self.lowest) & (present <= self.highest)).all():
                expected = f"at least {self.lowest:g}" + (
                    f" and at most {self.highest:g}" if self.highest < inf else ""
                )
                raise DataError(f"targets must be {expected}, got {present.min()}..{present.max()}")
        return values.astype(predictions.dtype, copy=False)


def as_rows(predictions: Array, targets: Targets) -> Targets:
    """Return targets in the predictions' shape, (n, k).

    Raises
    ------
    DataError
        If they have another shape, or are not numeric.
    """
    n, k = predictions.shape
    if targets.shape != (n, k) and (targets.shape != (n,) or k > 1):
        expected = f"({n}, {k})" + (f" or ({n},)" if k == 1 else "")
        raise DataError(
            f"targets must have shape {expected} to fit predictions of shape ({n}, {k}), "
            f"got {targets.shape}"
        )
    require_numeric("targets", targets.dtype)
    rows: Targets = targets.reshape(n, k)
    return rows
