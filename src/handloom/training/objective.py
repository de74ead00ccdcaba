"""The one function that training descends: loss and gradient of a network over a set of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from handloom.data.augment import StepAugmentation
from handloom.data.npy import Reading
from handloom.data.transforms import AsFloat
from handloom.kernels import NUMPY, Kernels, UsesKernels
from handloom.losses import ClassificationLoss, Loss, Targets
from handloom.network import Sequential, Transform
from handloom.parameters import Array
from handloom.randomness import Stream
from handloom.training.divergence import first_bad_array
from handloom.training.shards import Shard, cut, largest
from handloom.training.workers import Workers

Used = TypeVar("Used")
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
        How many rows were predicted right; 0 where nobody counts.
    rows : int
        How many rows there were.
    weight : float
        What they weigh together.
    gradient_norm : float
        The Euclidean norm of the gradient; 0 where it was not wanted.
    """

    data_loss: float
    penalty: float
    correct: int
    rows: int
    weight: float
    gradient_norm: float = 0.0

    @property
    def loss(self) -> float:
        """What the gradient is the gradient of: data loss plus penalty."""
        return self.data_loss + self.penalty

    @property
    def accuracy(self) -> float:
        """The fraction of rows that were predicted right; 0 where nobody counts."""
        return self.correct / self.rows


@dataclass(frozen=True)
class Batch:
    """Rows of a dataset, and what else a pass over them depends on.

    Parameters
    ----------
    inputs : array, shape (N, ...)
        The stored rows of the whole dataset.
    targets : array, shape (N,) or (N, k)
        What the loss takes of each.
    rows : slice or integer array, shape (n,)
        Which of them to take.
    weights : array, shape (N,), optional
        A weight a row.
    stream : Stream, optional
        Where stochastic layers draw from; each shard has a place of its own below it.
    augment : StepAugmentation, optional
        What changes the stored images before they are transformed; the dataset keeps its own.
    """

    inputs: npt.NDArray[np.generic]
    targets: Targets
    rows: Rows
    weights: Array | None
    stream: Stream | None = None
    augment: StepAugmentation | None = None

    def __len__(self) -> int:
        if isinstance(self.rows, slice):
            return len(range(*self.rows.indices(len(self.inputs))))
        return len(self.rows)

    @cached_property
    def total_weight(self) -> float:
        """What the rows weigh together."""
        if self.weights is None:
            return float(len(self))
        return float(self.weights[self.rows].sum(dtype=np.float64))

    def shard(self, shard: slice) -> Rows:
        """Return which rows of the dataset a shard takes."""
        if isinstance(self.rows, slice):
            start = self.rows.start or 0
            return slice(start + shard.start, start + shard.stop)
        return self.rows[shard]


class Objective:
    """Loss and gradient of a network over rows of a dataset, as a sum over shards.

    The rows are cut into shards and dealt to lanes (see `handloom.training.shards`). Each lane
    runs a replica of the network, which shares its weights and has gradients and buffers of its
    own, and sums the gradients of its shards. The lanes' sums are then added in lane order. Where
    there is a single lane, it shares its large matrix products between the threads instead, if the
    kernels are such that do.

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
    kernels : Kernels
        Whose inner loops layers, loss and transform use; see `handloom.kernels.Kernels.sharing`.
    penalty_per_row : bool
        Whether the penalty is divided by the weight of the rows.
    count_correct : bool
        Whether to count the rows that are predicted right, where the loss knows right from wrong.
    """

    def __init__(
        self,
        network: Sequential,
        loss: Loss,
        transform: Transform,
        workers: Workers,
        kernels: Kernels = NUMPY,
        *,
        penalty_per_row: bool = False,
        count_correct: bool = True,
    ) -> None:
        self.network = network
        self.penalty_per_row = penalty_per_row
        self.workers = workers
        of_lanes = kernels.uncut()
        loss = _with(of_lanes, loss)
        count = loss.correct if count_correct and isinstance(loss, ClassificationLoss) else None
        self._make_lane = partial(_Lane, network, loss, count, _with(of_lanes, transform))
        self._kernels = kernels
        self._alone: _Lane | None = None
        self._lanes: list[_Lane] = []
        self._ran: list[_Lane] = []
        self._reading: tuple[npt.NDArray[np.generic], Reading] | None = None
        self._deals: dict[int, list[list[slice]]] = {}

    def __call__(self, batch: Batch, *, gradient: bool = True) -> Measured:
        """Measure loss and accuracy, and write the gradient unless it is not wanted.

        Numbers may overflow on the way: whoever asks looks at the result.

        Parameters
        ----------
        batch : Batch
        gradient : bool
            Whether this is training: the gradient is wanted and stochastic layers draw.
        """
        reading = self._reading_of(batch.inputs)
        deal = self._deal(len(batch))
        lanes = self._open(len(deal))
        found = self.workers.run(
            [
                partial(lane.run, batch, reading, shards, training=gradient)
                for lane, shards in zip(lanes, deal, strict=True)
            ]
        )
        self._ran = lanes if gradient else []
        parameters = self.network.parameters
        scale = 1.0 / batch.total_weight if self.penalty_per_row and batch.total_weight else 1.0
        if gradient:
            if lanes[0].gradient is not parameters.gradient:
                np.copyto(parameters.gradient, lanes[0].gradient)
            for lane in lanes[1:]:
                parameters.gradient += lane.gradient
            penalty, norm = self._kernels.penalize(parameters, scale)
        else:
            penalty, norm = scale * parameters.penalty(), 0.0
        return Measured(
            sum(value for value, _ in found),
            penalty,
            sum(correct for _, correct in found),
            len(batch),
            batch.total_weight,
            norm,
        )

    def commit_statistics(self) -> None:
        """Update running statistics from the training pass just made, once its step is accepted."""
        self.network.commit_statistics([lane.replica for lane in self._ran])

    def _deal(self, rows: int) -> list[list[slice]]:
        if rows not in self._deals:
            most = largest(self.network.width, images=self.network.images)
            self._deals[rows] = cut(rows, self.network.rows_together, most)
        return self._deals[rows]

    def first_bad_array(self, batch: Batch) -> str:
        """Measure the same again, layer by layer, and name the first array that is not finite."""
        (lane,) = self._open(1)
        shards = sorted((part for shards in self._deal(len(batch)) for part in shards), key=_start)
        reading = self._reading_of(batch.inputs)
        ready = (lane.prepare(batch, reading, shard) for shard in shards)
        return first_bad_array(lane.replica, lane.loss, ready, batch.total_weight)

    def _reading_of(self, inputs: npt.NDArray[np.generic]) -> Reading:
        if self._reading is None or self._reading[0] is not inputs:
            self._reading = inputs, Reading(inputs)
        return self._reading[1]

    def _open(self, count: int) -> "list[_Lane]":
        """Return so many lanes. One that runs alone shares its large products between threads."""
        if count == 1:
            if self._alone is None:
                self._alone = self._make_lane(self._kernels, share_gradient=True)
            return [self._alone]
        while len(self._lanes) < count:
            self._lanes.append(self._make_lane(self._kernels.uncut()))
        return self._lanes[:count]


class _Lane:
    """A replica of the network with everything that it needs to take shards one after another.

    Attributes
    ----------
    gradient : array, shape (size,)
        The sum over the shards of the last batch.
    """

    def __init__(
        self,
        network: Sequential,
        loss: Loss,
        count: Callable[[Array, Targets], int] | None,
        transform: Transform,
        kernels: Kernels,
        *,
        share_gradient: bool = False,
    ) -> None:
        self.replica = network.replica(kernels, share_gradient=share_gradient)
        self.loss, self._count, self.transform = loss, count, transform
        self._take_rows = kernels.take_rows
        self.gradient = self.replica.parameters.gradient
        self._sum: Array | None = None
        self._stored: npt.NDArray[np.generic] | None = None
        self._x: Array = np.empty((0, *network.input_shape), network.parameters.dtype)
        self._dlogits: Array = np.empty((0, *network.output_shape), network.parameters.dtype)

    def run(
        self, batch: Batch, reading: Reading, shards: Sequence[slice], *, training: bool
    ) -> tuple[float, int]:
        """Take shards in order; return their part of the loss and how many rows were right."""
        value, correct = 0.0, 0
        for place, shard in enumerate(shards):
            ready = self.prepare(batch, reading, shard)
            of_shard = self._run_shard(ready, batch.total_weight, training=training)
            value, correct = value + of_shard[0], correct + of_shard[1]
            if training and len(shards) > 1:
                self._collect(first=place == 0)
        self.gradient = (
            self.replica.parameters.gradient if len(shards) == 1 or self._sum is None else self._sum
        )
        return value, correct

    def prepare(self, batch: Batch, reading: Reading, shard: slice) -> Shard:
        """Return a shard's rows as the network takes them, in memory that the next one reuses."""
        rows = batch.shard(shard)
        targets = batch.targets[rows]
        weights = None if batch.weights is None else batch.weights[rows]
        x, dlogits = self._space(len(targets))
        stored = self._take(reading, rows, x, change=batch.augment is not None)
        if batch.augment is not None:
            batch.augment(stored, rows, shard.start)
        self.transform(stored, x)
        # the first row of a shard names its place, whichever lane it is dealt to
        stream = None if batch.stream is None else batch.stream.at(shard.start)
        return Shard(x, targets, weights, stream, dlogits)

    def _run_shard(self, shard: Shard, total_weight: float, *, training: bool) -> tuple[float, int]:
        logits = self.replica.logits(shard.x, training=training, stream=shard.stream)
        correct = self._count(logits, shard.targets) if self._count else 0
        value, _ = self.loss(
            logits, shard.targets, shard.weights, total_weight=total_weight, out=shard.dlogits
        )
        if training:
            self.replica.backward(shard.dlogits)
        return value, correct

    def _collect(self, *, first: bool) -> None:
        """Add the gradients of a shard to those before it."""
        if self._sum is None:
            self._sum = np.empty_like(self.replica.parameters.gradient)
        if first:
            np.copyto(self._sum, self.replica.parameters.gradient)
        else:
            self._sum += self.replica.parameters.gradient

    def _space(self, rows: int) -> tuple[Array, Array]:
        """Return memory for a shard's input and for the gradient of its logits."""
        if len(self._x) < rows:
            self._x = np.empty((rows, *self._x.shape[1:]), self._x.dtype)
            self._dlogits = np.empty((rows, *self._dlogits.shape[1:]), self._x.dtype)
        return self._x[:rows], self._dlogits[:rows]

    def _take(self, reading: Reading, rows: Rows, x: Array, *, change: bool) -> npt.NDArray[Any]:
        """Return stored rows: a view, or a copy in memory that is reused.

        It is a copy where they lie apart, or will be changed; made in ``x``, which takes them in
        the end, where that is all there is to do.
        """
        if isinstance(rows, slice) and not change:
            return reading.rows(rows)
        inputs = reading.inputs
        shape = (len(x), *inputs.shape[1:])
        if type(self.transform) is AsFloat and inputs.dtype == x.dtype:  # a kind of it may differ
            stored = x.reshape(shape)
        else:
            if self._stored is None or len(self._stored) < len(x):
                self._stored = np.empty(shape, inputs.dtype)
            stored = self._stored[: len(x)]
        if isinstance(rows, slice):
            np.copyto(stored, reading.rows(rows))
        else:
            reading.copy(rows, stored, self._take_rows)
        return stored


def _start(shard: slice) -> int:
    return int(shard.start)


def _with(kernels: Kernels, used: Used) -> Used:
    return used.using(kernels) if isinstance(used, UsesKernels) else used
