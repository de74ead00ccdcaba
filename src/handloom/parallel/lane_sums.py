"""The sums of lanes over a batch, and their sum in lane order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from handloom.operations import Array


@dataclass(frozen=True, eq=False)
class LaneSums:
    """The contribution of one lane to a batch. Lanes are added in their order.

    Attributes
    ----------
    gradient : array, shape (size,)
        The sum over the lane's shards, without penalty.
    data_loss : float
    correct : int
    statistics : mapping of str to array
        The batch statistics that layers such as BatchNorm collected, for the update of their
        running statistics.
    """

    gradient: Array
    data_loss: float
    correct: int
    statistics: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class BatchSums:
    """The sum of all lanes of a batch, except for the gradient, which is written to a vector.

    Attributes
    ----------
    data_loss : float
    correct : int
    statistics : list of mapping
        Those of each lane, in lane order.
    """

    data_loss: float
    correct: int
    statistics: list[Mapping[str, Array]]

    @classmethod
    def of(
        cls, figures: Sequence[tuple[float, int]], statistics: list[Mapping[str, Array]]
    ) -> Self:
        """Return the sum of the losses and correct predictions of each lane, in lane order."""
        return cls(sum(loss for loss, _ in figures), sum(n for _, n in figures), statistics)


def add_lanes(lanes: Sequence[LaneSums], out: Array | None) -> BatchSums:
    """Add lanes in their order.

    Parameters
    ----------
    lanes : sequence of LaneSums
        All lanes of the batch.
    out : array, shape (size,), or None
        Takes the gradient; it may be that of the first lane.
    """
    if out is not None:
        first, *others = (lane.gradient for lane in lanes)
        if first is not out:
            np.copyto(out, first)
        for other in others:
            out += other
    figures = [(lane.data_loss, lane.correct) for lane in lanes]
    return BatchSums.of(figures, [lane.statistics for lane in lanes])
