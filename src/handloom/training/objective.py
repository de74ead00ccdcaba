"""Loss and gradient of a network over a batch: forward, loss, backward, and the sum over shards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from handloom.backend import NUMPY, Backend, UsesBackend
from handloom.data.batches import Batch, LoaderOptions, Shard, ShardLoader
from handloom.data.row_reader import RowReader
from handloom.losses import ClassificationLoss, Loss, Targets
from handloom.network import Sequential
from handloom.operations import LayerOperation
from handloom.parallel.exchange import Exchange
from handloom.parallel.lane_sums import BatchSums, LaneSums, add_lanes
from handloom.parallel.partition import deal_lanes, deal_shards, shard_rows
from handloom.parallel.pool import SERIAL, Pool
from handloom.parallel.ranks import ONE, Ranks
from handloom.parameters import Array, l2_norm, penalize
from handloom.training.divergence import first_bad_array


@dataclass(frozen=True)
class Measurement:
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


class Objective:
    """Loss and gradient of a network over rows of a dataset, as a sum over shards.

    The rows are cut into shards and dealt to lanes (see `handloom.parallel.partition`). Each lane
    runs a replica of the network, which shares its weights and has its own gradients and buffers,
    and sums the gradients of its shards. The lanes' sums are then added in lane order. A batch of
    a single shard has a single lane: the threads of the pool share its large matrix products and
    loops instead, cut into pieces.

    Ranks share the lanes of a batch: each runs its own, and all get the sum. A single lane is run
    by every rank, and nothing is sent.

    Parameters
    ----------
    network : Sequential
        A built network; its gradient vector takes the result. Its output is the loss's input.
    loss : Loss
        The loss, from outputs and targets to a value and its gradient.
    options : LoaderOptions
        The preparation of rows.
    backend : Backend
        Has the versions of the functions of layers, loss and transform, in NumPy or compiled.
    pool : Pool
        Runs the lanes.
    layers : sequence of LayerOperation, optional
        The operations of the network, for a backend that compiles it as a whole (see
        `handloom.backend.Backend.compiled_network`); by default the network runs layer by layer.
    penalty_per_row : bool
        Whether the penalty is divided by the sum of the sample weights.
    count_correct : bool
        Whether to count correct predictions, if the loss is a `ClassificationLoss`.
    most_rows : int, optional
        The most rows of a shard, if fewer than `handloom.parallel.partition.shard_rows` returns.
    ranks : Ranks
        Share the lanes.
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
        most_rows: int | None = None,
        ranks: Ranks = ONE,
    ) -> None:
        self.network = network
        self.penalty_per_row, self.loading = penalty_per_row, options
        self._pool, self._backend = pool, backend
        self._most_rows, self._ranks = most_rows, ranks
        self._exchange = Exchange(ranks, network.parameters.gradient)
        passed, self._options_of_loss = loss, dict[str, object]()
        loss = loss.with_backend(backend) if isinstance(loss, UsesBackend) else loss
        if loss is not passed:
            self._options_of_loss = vars(passed)
        self.loss, self._followed = loss, dict(self._options_of_loss)
        count = loss.correct if count_correct and isinstance(loss, ClassificationLoss) else None
        self._make_lane = partial(_Lane, network, layers, loss, count, options, backend)
        self._penalize = backend.version_of(penalize, pool)
        self._single_lane: _Lane | None = None
        self._lanes: list[_Lane] = []
        self._reader: tuple[npt.NDArray[np.generic], RowReader] | None = None
        self._deals: dict[tuple[int, bool], list[list[slice]]] = {}

    def __call__(self, batch: Batch, *, gradient: bool = True) -> Measurement:
        """Measure loss and accuracy, and write the gradient if ``gradient`` is True.

        Values may overflow without a warning: check the result.

        Parameters
        ----------
        batch : Batch
        gradient : bool
            Whether this is a training pass: the gradient is computed, and stochastic layers such as
            `handloom.Dropout` draw random numbers.

        Returns
        -------
        Measurement
        """
        lanes = self.run_lanes(batch, gradient=gradient)
        return self.measure(
            batch, self.add_lanes(batch, lanes, gradient=gradient), gradient=gradient
        )

    def run_lanes(self, batch: Batch, *, gradient: bool = True) -> list[LaneSums]:
        """Run a batch through the network; return each own lane's contribution, in lane order."""
        self._follow_options()
        reader = self._reader_of(batch.arrays.inputs)
        deal = self._shards_by_lane(len(batch), training=gradient)
        own = deal[self._own_lanes(len(deal))]
        lanes = self._lanes_for(len(own), single=len(deal) == 1)
        calls = [
            partial(lane.run, batch, reader, shards, training=gradient)
            for lane, shards in zip(lanes, own, strict=True)
        ]
        return self._pool.undisturbed(partial(self._pool.run, calls))

    def _follow_options(self) -> None:
        """Set what a callback has set of the loss on its copy for the backend too."""
        for name, value in self._options_of_loss.items():
            if self._followed.get(name) is not value:
                self._followed[name] = value
                setattr(self.loss, name, value)

    def add_lanes(
        self, batch: Batch, own: Sequence[LaneSums], *, gradient: bool = True
    ) -> BatchSums:
        """Return the sum of all lanes, in lane order; ranks communicate here.

        With ``gradient`` the network's gradient takes the sum of the lanes'.

        Parameters
        ----------
        batch : Batch
        own : sequence of LaneSums
            The lanes of this rank.
        gradient : bool

        Raises
        ------
        RankError
            If another rank has failed in this step.
        """
        lanes = self.lanes(len(batch), training=gradient)
        if self._ranks.size == 1 or lanes == 1:
            return add_lanes(own, self.network.parameters.gradient if gradient else None)
        if gradient:
            return self._exchange.add(own, lanes)
        figures = self._ranks.gather([(lane.data_loss, lane.correct) for lane in own])
        return BatchSums.of([each for of_rank in figures for each in of_rank], [])

    def fail(self, error: BaseException, rows: int) -> None:
        """Tell the ranks that add the lanes of a batch of ``rows`` rows that this one failed."""
        if self._ranks.size > 1:
            self._exchange.fail(error, self.lanes(rows))

    def measure(self, batch: Batch, sums: BatchSums, *, gradient: bool = True) -> Measurement:
        """Return the measurement of a batch, with the penalty; add that to the gradient too.

        Parameters
        ----------
        batch : Batch
        sums : BatchSums
        gradient : bool

        Returns
        -------
        Measurement
        """
        parameters = self.network.parameters
        norm, scale = 0.0, 1.0
        if self.penalty_per_row:
            scale = 1.0 / batch.total_weight if batch.total_weight else 0.0
        if gradient:
            w, dw = parameters.vector, parameters.gradient
            bounds, strengths = parameters.penalized
            strengths = strengths if scale == 1.0 else scale * strengths
            penalized = partial(self._penalize, w, dw, bounds, strengths)
            penalty, squares = self._pool.undisturbed(penalized, repeat=False)  # it adds to dw
            norm = l2_norm(dw, squares)
        else:
            penalty = self._pool.undisturbed(partial(parameters.penalty, scale))
        rows, weight = len(batch), batch.total_weight
        return Measurement(sums.data_loss, penalty, sums.correct, rows, weight, norm)

    def lanes(self, rows: int, *, training: bool = True) -> int:
        """Return the number of lanes of a batch of ``rows`` rows."""
        return len(self._shards_by_lane(rows, training=training))

    def has_single_shard(self, rows: int) -> bool:
        """Return whether a batch of ``rows`` rows is a single shard."""
        return [len(shards) for shards in self._shards_by_lane(rows)] == [1]

    def prepare_lanes(self, rows: int) -> None:
        """Make the lanes of a batch of ``rows`` rows, and compile the functions that they call."""
        lanes = self.lanes(rows)
        own = self._own_lanes(lanes)
        self._lanes_for(own.stop - own.start, single=lanes == 1)

    def first_bad_array(self, batch: Batch) -> str:
        """Run a batch again, layer by layer; return the first array's name that is not finite."""
        lane = self._single_lane or (self._lanes or self._lanes_for(1, single=True))[0]
        shards = sorted(
            (part for shards in self._shards_by_lane(len(batch)) for part in shards), key=_start
        )
        reader = self._reader_of(batch.arrays.inputs)
        ready = (lane.loader.load(batch, reader, shard) for shard in shards)
        bad = first_bad_array(lane.replica, lane.loss, ready, batch.total_weight)
        lane.replica.take_statistics()  # discarded: this step is not accepted
        return bad

    def _own_lanes(self, lanes: int) -> slice:
        """Return which of the lanes of a batch this rank runs."""
        return deal_lanes(lanes, self._ranks.size)[self._ranks.rank]

    def _shards_by_lane(self, rows: int, *, training: bool = True) -> list[list[slice]]:
        key = rows, training
        if key not in self._deals:
            network, lanes = self.network, self._pool.lanes
            most = shard_rows(network.largest_activation, images=network.has_images)
            most = min(most, self._most_rows or most)
            coupled = network.coupled_rows if training else 1  # rows are coupled in training only
            self._deals[key] = deal_shards(rows, coupled, most, lanes)
        return self._deals[key]

    def _reader_of(self, inputs: npt.NDArray[np.generic]) -> RowReader:
        if self._reader is None or self._reader[0] is not inputs:
            self._reader = inputs, RowReader(inputs)
        return self._reader[1]

    def _lanes_for(self, count: int, *, single: bool) -> "list[_Lane]":
        """Return ``count`` lanes; that of a batch with a single one is shared by the threads."""
        if single:
            if self._single_lane is None:
                self._single_lane = self._make_lane(self._pool, share_gradient=True)
            return [self._single_lane]
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
        count_correct: Callable[[Array, Targets], int] | None,
        options: LoaderOptions,
        backend: Backend,
        pool: Pool,
        *,
        share_gradient: bool = False,
    ) -> None:
        self.replica = network.replica(backend, pool, share_gradient=share_gradient)
        self.loss, self._count_correct = loss, count_correct
        self.loader = ShardLoader(options, backend, pool)
        own = self.replica.parameters
        self._compiled_network = None
        if layers is not None:
            self._compiled_network = backend.compiled_network(
                layers, own.vector, own.gradient, pool
            )
        self._gradient_sum: Array | None = None
        self._dlogits: Array = np.empty((0, *network.output_shape), own.dtype)
        # a part that does not overwrite its gradient is found at the first step
        own.gradient.fill(np.nan)

    def run(
        self, batch: Batch, reader: RowReader, shards: Sequence[slice], *, training: bool
    ) -> LaneSums:
        """Run shards in order and return their sums."""
        data_loss, correct = 0.0, 0
        gradient = self.replica.parameters.gradient
        for index, rows in enumerate(shards):
            shard = self.loader.load(batch, reader, rows)
            loss, correct_in_shard = self._run_shard(shard, batch.total_weight, training=training)
            data_loss, correct = data_loss + loss, correct + correct_in_shard
            if training and len(shards) > 1:
                gradient = self._add_gradient(first=index == 0)
        # a loss of the user's own may return figures of NumPy, which round otherwise
        figures = float(data_loss), int(correct)
        return LaneSums(gradient, *figures, self.replica.take_statistics())

    def _run_shard(self, shard: Shard, total_weight: float, *, training: bool) -> tuple[float, int]:
        rows = len(shard.x)
        # a compiled call for each pass, or layer by layer
        compiled = (
            self._compiled_network
            if training and self._compiled_network and self._compiled_network.runs_compiled(rows)
            else None
        )
        if compiled is not None:
            logits = compiled.forward(shard.x)
        else:
            logits = self.replica.forward(shard.x, training=training, stream=shard.stream)
        correct = self._count_correct(logits, shard.targets) if self._count_correct else 0
        dlogits = self._dlogits_of(rows)
        loss, _ = self.loss(
            logits, shard.targets, shard.weights, total_weight=total_weight, out=dlogits
        )
        if compiled is not None:
            compiled.backward(dlogits)
        elif training:
            self.replica.backward(dlogits)
        return loss, correct

    def _add_gradient(self, *, first: bool) -> Array:
        """Add the gradient of a shard to those before it; return the sum."""
        if self._gradient_sum is None:
            self._gradient_sum = np.empty_like(self.replica.parameters.gradient)
        if first:
            np.copyto(self._gradient_sum, self.replica.parameters.gradient)
        else:
            self._gradient_sum += self.replica.parameters.gradient
        return self._gradient_sum

    def _dlogits_of(self, rows: int) -> Array:
        """Return memory for the gradient of a shard's logits."""
        if len(self._dlogits) < rows:
            self._dlogits = np.full((rows, *self._dlogits.shape[1:]), np.nan, self._dlogits.dtype)
        return self._dlogits[:rows]


def _start(shard: slice) -> int:
    return int(shard.start)
