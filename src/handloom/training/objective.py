"""Loss and gradient of a network over a batch: forward, loss, backward, and the sum over shards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from handloom.backend import NUMPY, Backend, UsesBackend
from handloom.data.batches import Batch, LoaderOptions, Shard, ShardLoader
from handloom.data.formats.npy import Reading
from handloom.losses import ClassificationLoss, Loss, Targets
from handloom.network import Sequential
from handloom.operations import LayerOperation
from handloom.parallel.partition import deal_shards, shard_rows
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Array, l2_norm, penalize
from handloom.training.divergence import first_bad_array


@dataclass(frozen=True)
class Measured:
    """Loss, accuracy and gradient norm of one evaluation of the objective.

    Attributes
    ----------
    data_loss : float
        The weighted mean loss of the rows.
    penalty : float
        The L1 and L2 penalty of the weights.
    correct : int
        The number of correct predictions; 0 if they are not counted.
    rows : int
        The number of rows.
    weight : float
        The sum of the sample weights.
    gradient_norm : float
        The l2 norm of the gradient; 0 if it was not computed.
    """

    data_loss: float
    penalty: float
    correct: int
    rows: int
    weight: float
    gradient_norm: float = 0.0

    @property
    def loss(self) -> float:
        """The objective: data loss plus penalty."""
        return self.data_loss + self.penalty

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions; 0 if they are not counted."""
        return self.correct / self.rows


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
        The batch statistics of training passes, for running statistics.
    """

    gradient: Array
    data_loss: float
    correct: int
    statistics: Mapping[str, Array]


class Objective:
    """Loss and gradient of a network over rows of a dataset, as a sum over shards.

    The rows are cut into shards and dealt to lanes (see `handloom.parallel.partition`). Each lane
    runs a replica of the network, which shares its weights and has its own gradients and buffers,
    and sums the gradients of its shards. The lanes' sums are then added in lane order. A
    single lane shares its large pieces of work with the pool instead.

    Parameters
    ----------
    network : Sequential
        A built network; its gradient vector takes the result. Its output is the loss's input.
    loss : Loss
        The loss, from outputs and targets to a value and its gradient.
    options : LoaderOptions
        The preparation of rows.
    backend : Backend
        Runs the definitions of layers, loss and transform.
    pool : Pool
        Runs the lanes.
    layers : sequence of LayerOperation, optional
        The operations of the network, for a backend that compiles it as a whole.
    penalty_per_row : bool
        Whether the penalty is divided by the sum of the sample weights.
    count_correct : bool
        Whether to count correct predictions, if the loss is a `ClassificationLoss`.
    """

    def __init__(
        self,
        network: Sequential,
        loss: Loss,
        options: LoaderOptions,
        backend: Backend = NUMPY,
        pool: Pool = SERIAL,
        *,
        layers: Sequence[LayerOperation] | None = None,
        penalty_per_row: bool = False,
        count_correct: bool = True,
    ) -> None:
        self.network = network
        self.penalty_per_row = penalty_per_row
        self._pool, self._backend = pool, backend
        loss = loss.with_backend(backend) if isinstance(loss, UsesBackend) else loss
        count = loss.correct if count_correct and isinstance(loss, ClassificationLoss) else None
        self._make_lane = partial(_Lane, network, layers, loss, count, options, backend)
        self._penalize = backend.version_of(penalize, pool)
        self._alone: _Lane | None = None
        self._lanes: list[_Lane] = []
        self._reading: tuple[npt.NDArray[np.generic], Reading] | None = None
        self._deals: dict[int, list[list[slice]]] = {}

    def __call__(self, batch: Batch, *, gradient: bool = True) -> Measured:
        """Measure loss and accuracy, and write the gradient if ``gradient`` is True.

        Values may overflow without a warning: check the result.

        Parameters
        ----------
        batch : Batch
        gradient : bool
            Whether this is a training pass: the gradient is computed and stochastic layers draw.
        """
        return self.add(batch, self.run_lanes(batch, gradient=gradient), gradient=gradient)

    def run_lanes(self, batch: Batch, *, gradient: bool = True) -> list[LaneSums]:
        """Run a batch through the network; return each lane's contribution, in lane order."""
        reading = self._reading_of(batch.arrays.inputs)
        deal = self._deal(len(batch))
        lanes = self._open(len(deal))
        return self._pool.run(
            [
                partial(lane.run, batch, reading, shards, training=gradient)
                for lane, shards in zip(lanes, deal, strict=True)
            ]
        )

    def add(self, batch: Batch, lanes: Sequence[LaneSums], *, gradient: bool = True) -> Measured:
        """Add the contributions of lanes, in their order, and the penalty."""
        parameters = self.network.parameters
        scale = 1.0 / batch.total_weight if self.penalty_per_row and batch.total_weight else 1.0
        norm = 0.0
        if gradient:
            first, *others = (lane.gradient for lane in lanes)
            if first is not parameters.gradient:
                np.copyto(parameters.gradient, first)
            for other in others:
                parameters.gradient += other
            w, dw = parameters.vector, parameters.gradient
            bounds, strengths = parameters.penalized
            strengths = strengths if scale == 1.0 else scale * strengths
            penalty, squares = self._penalize(w, dw, bounds, strengths)
            norm = l2_norm(dw, squares)
        else:
            penalty = parameters.penalty(scale)
        return Measured(
            sum(lane.data_loss for lane in lanes),
            penalty,
            sum(lane.correct for lane in lanes),
            len(batch),
            batch.total_weight,
            norm,
        )

    def open(self, rows: int) -> None:
        """Make the lanes of a batch of ``rows`` rows, and compile the functions that they call."""
        self._open(len(self._deal(rows)))

    def first_bad_array(self, batch: Batch) -> str:
        """Run a batch again, layer by layer; return the name of the first array not finite."""
        lane = self._alone or (self._lanes or self._open(1))[0]
        shards = sorted((part for shards in self._deal(len(batch)) for part in shards), key=_start)
        reading = self._reading_of(batch.arrays.inputs)
        ready = (lane.loader.load(batch, reading, shard) for shard in shards)
        bad = first_bad_array(lane.replica, lane.loss, ready, batch.total_weight)
        lane.replica.take_statistics()  # of a step that is not accepted
        return bad

    def _deal(self, rows: int) -> list[list[slice]]:
        if rows not in self._deals:
            network = self.network
            most = shard_rows(network.largest_activation, images=network.has_images)
            self._deals[rows] = deal_shards(rows, network.coupled_rows, most, self._pool.lanes)
        return self._deals[rows]

    def _reading_of(self, inputs: npt.NDArray[np.generic]) -> Reading:
        if self._reading is None or self._reading[0] is not inputs:
            self._reading = inputs, Reading(inputs)
        return self._reading[1]

    def _open(self, count: int) -> "list[_Lane]":
        """Return ``count`` lanes. A single one shares its large pieces of work with the pool."""
        if count == 1:
            if self._alone is None:
                self._alone = self._make_lane(self._pool, share_gradient=True)
            return [self._alone]
        while len(self._lanes) < count:
            self._lanes.append(self._make_lane(SERIAL))
        return self._lanes[:count]


class _Lane:
    """A replica of the network with its loss and loader, which runs shards one after another."""

    def __init__(
        self,
        network: Sequential,
        layers: Sequence[LayerOperation] | None,
        loss: Loss,
        count: Callable[[Array, Targets], int] | None,
        options: LoaderOptions,
        backend: Backend,
        pool: Pool,
        *,
        share_gradient: bool = False,
    ) -> None:
        self.replica = network.replica(backend, pool, share_gradient=share_gradient)
        self.loss, self._count = loss, count
        self.loader = ShardLoader(options, backend, pool)
        own = self.replica.parameters
        self._pass = None
        if layers is not None:
            self._pass = backend.network_pass(layers, own.vector, own.gradient, pool)
        self._sum: Array | None = None
        self._dlogits: Array = np.empty((0, *network.output_shape), own.dtype)

    def run(
        self, batch: Batch, reading: Reading, shards: Sequence[slice], *, training: bool
    ) -> LaneSums:
        """Run shards in order and return their sums."""
        data_loss, correct = 0.0, 0
        gradient = self.replica.parameters.gradient
        for index, rows in enumerate(shards):
            shard = self.loader.load(batch, reading, rows)
            loss, correct_in_shard = self._run_shard(shard, batch.total_weight, training=training)
            data_loss, correct = data_loss + loss, correct + correct_in_shard
            if training and len(shards) > 1:
                gradient = self._collect(first=index == 0)
        return LaneSums(gradient, data_loss, correct, self.replica.take_statistics())

    def _run_shard(self, shard: Shard, total_weight: float, *, training: bool) -> tuple[float, int]:
        rows = len(shard.x)
        # one compiled call forward and one backward, or layer by layer: the definition
        whole = self._pass if training and self._pass and self._pass.should_run(rows) else None
        if whole is not None:
            logits = whole.forward(shard.x)
        else:
            logits = self.replica.forward(shard.x, training=training, stream=shard.stream)
        correct = self._count(logits, shard.targets) if self._count else 0
        dlogits = self._buffer(rows)
        loss, _ = self.loss(
            logits, shard.targets, shard.weights, total_weight=total_weight, out=dlogits
        )
        if whole is not None:
            whole.backward(dlogits)
        elif training:
            self.replica.backward(dlogits)
        return loss, correct

    def _collect(self, *, first: bool) -> Array:
        """Add the gradient of a shard to those before it; return the sum."""
        if self._sum is None:
            self._sum = np.empty_like(self.replica.parameters.gradient)
        if first:
            np.copyto(self._sum, self.replica.parameters.gradient)
        else:
            self._sum += self.replica.parameters.gradient
        return self._sum

    def _buffer(self, rows: int) -> Array:
        """Return memory for the gradient of a shard's logits."""
        if len(self._dlogits) < rows:
            self._dlogits = np.empty((rows, *self._dlogits.shape[1:]), self._dlogits.dtype)
        return self._dlogits[:rows]


def _start(shard: slice) -> int:
    return int(shard.start)
