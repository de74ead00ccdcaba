"""The one function that training descends: loss and gradient of a network over a set of rows."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from handloom.losses import Loss
from handloom.network import Sequential, Transform
from handloom.parameters import Array
from handloom.randomness import Purpose, Stream
from handloom.training.shards import Workers, cut

Rows = slice | npt.NDArray[np.integer]


@dataclass(frozen=True)
class Measured:
    """What one evaluation of the objective found.

    Attributes
    ----------
    data_loss : float
        The weighted mean loss of the rows.
    penalty : float
        The L1 and L2 penalty of the weights.
    correct : int
        How many rows had their class predicted.
    rows : int
        How many rows there were.
    weight : float
        What they weigh together.
    """

    data_loss: float
    penalty: float
    correct: int
    rows: int
    weight: float

    @property
    def loss(self) -> float:
        """What the gradient is the gradient of: data loss plus penalty."""
        return self.data_loss + self.penalty

    @property
    def accuracy(self) -> float:
        """The fraction of rows whose class was predicted."""
        return self.correct / self.rows


class Objective:
    """Loss and gradient of a network over rows of a dataset, as a sum over shards.

    The rows are cut into shards and dealt to lanes (see `handloom.training.shards`). Each lane
    runs a replica of the network, which shares its weights and has gradients and buffers of its
    own, and sums the gradients of its shards. The lanes' sums are then added in lane order.

    Parameters
    ----------
    network : Sequential
        A built network; its gradient vector takes the result.
    loss : Loss
        From logits and targets to a value and its gradient.
    transform : callable
        ``transform(rows, out)`` turns stored rows into the network's input.
    workers : Workers
        Who runs the lanes.
    """

    def __init__(
        self, network: Sequential, loss: Loss, transform: Transform, workers: Workers
    ) -> None:
        self.network = network
        self.workers = workers
        self._make_lane = partial(_Lane, network, loss, transform)
        self._lanes: list[_Lane] = []

    def __call__(
        self,
        inputs: npt.NDArray[np.generic],
        targets: npt.NDArray[np.integer],
        rows: Rows,
        *,
        weights: Array | None = None,
        stream: Stream,
        gradient: bool = True,
    ) -> Measured:
        """Measure loss and accuracy, and write the gradient unless it is not wanted.

        Parameters
        ----------
        inputs : array, shape (N, ...)
            The stored rows of a whole dataset.
        targets : integer array, shape (N,)
            Their classes.
        rows : slice or integer array, shape (n,)
            Which of them to take.
        weights : array, shape (N,), optional
            A weight a row.
        stream : Stream
            Where stochastic layers draw from; each shard has a place of its own below it.
        gradient : bool
            Whether this is training: the gradient is wanted and stochastic layers draw.
        """
        count = len(range(*rows.indices(len(inputs)))) if isinstance(rows, slice) else len(rows)
        total_weight = float(count)
        if weights is not None:
            total_weight = float(weights[rows].sum(dtype=np.float64))
        deal = cut(count)
        while len(self._lanes) < len(deal):
            self._lanes.append(self._make_lane())

        @np.errstate(over="ignore", invalid="ignore")  # whoever asked looks at the result
        def run(lane: _Lane, first: int, shards: list[slice]) -> tuple[float, int]:
            lane.clear()
            value, correct = 0.0, 0
            for place, shard in enumerate(shards):
                chosen = _within(rows, shard)
                of_shard = lane.run(
                    inputs[chosen],
                    targets[chosen],
                    None if weights is None else weights[chosen],
                    total_weight,
                    stream.at(Purpose.LAYER, first + place * len(deal)),
                    gradient,
                )
                value, correct = value + of_shard[0], correct + of_shard[1]
            return value, correct

        found = self.workers.run(
            [
                partial(run, lane, first, shards)
                for first, (lane, shards) in enumerate(zip(self._lanes, deal, strict=False))
            ]
        )
        parameters = self.network.parameters
        if gradient:
            np.copyto(parameters.gradient, self._lanes[0].gradient)
            for lane in self._lanes[1 : len(deal)]:
                parameters.gradient += lane.gradient
            parameters.add_penalty_gradient()
        return Measured(
            sum(value for value, _ in found),
            parameters.penalty(),
            sum(correct for _, correct in found),
            count,
            total_weight,
        )


class _Lane:
    """A replica of the network with everything that it needs to take shards one after another."""

    def __init__(self, network: Sequential, loss: Loss, transform: Transform) -> None:
        self.replica = network.replica()
        self.loss, self.transform = loss, transform
        self.gradient: Array = np.zeros_like(network.parameters.gradient)
        self._empty = True
        self._x: Array = np.empty((0, *network.input_shape), network.parameters.dtype)
        self._dlogits: Array = np.empty((0, *network.output_shape), network.parameters.dtype)

    def clear(self) -> None:
        """Forget the gradients of the batch before."""
        self._empty = True

    def run(
        self,
        inputs: npt.NDArray[np.generic],
        targets: npt.NDArray[np.integer],
        weights: Array | None,
        total_weight: float,
        stream: Stream,
        gradient: bool,
    ) -> tuple[float, int]:
        """Take one shard; return its part of the loss and how many rows were right."""
        n = len(inputs)
        if len(self._x) < n:
            self._x = np.empty((n, *self._x.shape[1:]), self._x.dtype)
            self._dlogits = np.empty((n, *self._dlogits.shape[1:]), self._x.dtype)
        x, dlogits = self._x[:n], self._dlogits[:n]
        self.transform(inputs, x)
        logits = self.replica.logits(x, training=gradient, stream=stream)
        correct = int(np.count_nonzero(logits.argmax(axis=1) == targets))
        value, _ = self.loss(logits, targets, weights, total_weight=total_weight, out=dlogits)
        if gradient:
            self.replica.backward(dlogits)
            if self._empty:
                np.copyto(self.gradient, self.replica.parameters.gradient)
            else:
                self.gradient += self.replica.parameters.gradient
            self._empty = False
        return value, correct


def _within(rows: Rows, shard: slice) -> Rows:
    if isinstance(rows, slice):
        start = rows.start or 0
        return slice(start + shard.start, start + shard.stop)
    return rows[shard]
