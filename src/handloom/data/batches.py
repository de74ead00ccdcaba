"""Mini-batches: the shuffled order of an epoch, and the loading of shards.

The rows of a shard are gathered, augmented and transformed in memory that the next shard reuses.
The stored dataset is never changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.backend import NUMPY, Backend, UsesBackend
from handloom.data.augment import Augmentation, StepAugmentation
from handloom.data.row_reader import RowReader
from handloom.data.transforms import Transform
from handloom.operations import Array, Arrays, CastRows, operation_of
from handloom.parallel.partition import batch_count
from handloom.parallel.pool import SERIAL, Pool
from handloom.randomness import Purpose, StepStream, Stream

Rows = slice | npt.NDArray[np.integer]
"""Rows of a dataset: a slice, or their indices, shape (n,)."""


@dataclass(frozen=True, eq=False)
class Order:
    """The rows of consecutive steps of one epoch.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    first, steps : int
        The index of the first of the steps within the epoch, and their number.
    rows, batch_size, batches : int
        The number of rows of the epoch, of rows of a step, and of steps of the epoch. The last step
        takes the rest, which may be fewer rows, or more; see
        `handloom.parallel.partition.batch_count`.
    permutation : integer array, shape (rows,), or None
        The order of the epoch's rows; None without shuffling.
    """

    epoch: int
    first: int
    steps: int
    rows: int
    batch_size: int
    batches: int
    permutation: npt.NDArray[np.integer] | None

    def __len__(self) -> int:
        return self.steps

    def batch(self, step: int) -> Rows:
        """Return the rows of the step with the index ``step`` within the epoch."""
        start, last = step * self.batch_size, step == self.batches - 1
        taken = slice(start, self.rows if last else start + self.batch_size)
        return taken if self.permutation is None else self.permutation[taken]

    def size(self, step: int) -> int:
        """Return the number of rows of the step with the index ``step`` within the epoch."""
        last = step == self.batches - 1
        return self.rows - step * self.batch_size if last else self.batch_size

    def starts(self, first: int, steps: int) -> npt.NDArray[np.int64]:
        """Return where the rows of some steps begin, and where the last ones end."""
        starts = np.arange(first, first + steps + 1, dtype=np.int64) * self.batch_size
        if first + steps == self.batches:
            starts[-1] = self.rows
        return starts

    def rows_between(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Return the indices of the rows at consecutive places of the epoch."""
        if self.permutation is None:
            return np.arange(start, stop, dtype=np.int64)
        return np.ascontiguousarray(self.permutation[start:stop], np.int64)

    @property
    def most_rows(self) -> int:
        """The rows of the largest step."""
        return max(self.batch_size, self.rows - (self.batches - 1) * self.batch_size)

    def part(self, first: int, steps: int) -> "Order":
        """Return the order of some of the steps."""
        return replace(self, first=first, steps=steps)


def epoch_order(
    rows: int, batch_size: int, stream: Stream | None, epoch: int, *, fewest: int = 1
) -> Order:
    """Return the order of the rows of an epoch.

    Parameters
    ----------
    rows : int
        The number of rows.
    batch_size : int
        Rows per step. A batch of all rows is not shuffled.
    stream : Stream or None
        The source of a new permutation for each epoch; None for no shuffling.
    epoch : int
    fewest : int
        The fewest rows of a step; fewer that are left over join the step before.

    Returns
    -------
    Order
        The rows of every step of the epoch.
    """
    permutation, batches = None, batch_count(rows, batch_size, fewest)
    if stream is not None and batches > 1:
        permutation = stream.at(Purpose.SHUFFLE, epoch).generator().permutation(rows)
    return Order(epoch, 0, batches, rows, batch_size, batches, permutation)


@dataclass(frozen=True)
class Batch:
    """A mini-batch: some rows of a dataset, with the epoch and step that take them.

    Attributes
    ----------
    arrays : Arrays
        The whole dataset, as stored.
    rows : Rows
        The rows of the batch.
    epoch, step : int or None
        The key of random draws; None without random draws, as in validation.
    """

    arrays: Arrays
    rows: Rows
    epoch: int | None = None
    step: int | None = None

    def __len__(self) -> int:
        if isinstance(self.rows, slice):
            return len(range(*self.rows.indices(len(self.arrays.inputs))))
        return len(self.rows)

    @cached_property
    def total_weight(self) -> float:
        """The sum of the sample weights."""
        if self.arrays.weights is None:
            return float(len(self))
        return float(self.arrays.weights[self.rows].sum(dtype=np.float64))

    def rows_of(self, shard: slice) -> Rows:
        """Return the rows of the dataset that a shard takes."""
        if isinstance(self.rows, slice):
            start = self.rows.start or 0
            return slice(start + shard.start, start + shard.stop)
        return self.rows[shard]


@dataclass(frozen=True)
class Shard:
    """Rows of a batch as inputs, targets and weights for the network.

    Attributes
    ----------
    x : array, shape (n, *input_shape)
    targets : array, shape (n,) or (n, k)
    weights : array, shape (n,), or None
        The sample weights.
    stream : StepStream or None
        The random stream of stochastic layers.
    """

    x: Array
    targets: npt.NDArray[np.integer] | npt.NDArray[np.floating]
    weights: Array | None
    stream: StepStream | None


@dataclass(frozen=True)
class LoaderOptions:
    """The options of a `ShardLoader`.

    Attributes
    ----------
    input_shape : tuple of int
        The shape of a row of the network's input.
    dtype : dtype
        The network's dtype.
    transform : Transform
        Writes stored rows into the network's input.
    augment : sequence of Augmentation
        Changes the stored images of a training step, in this order, before they are transformed.
    seed : int
        The seed of augmentations and stochastic layers.
    draws : bool
        Whether the network has stochastic layers.
    """

    input_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    transform: Transform
    augment: Sequence[Augmentation] = ()
    seed: int = 0
    draws: bool = False


class ShardLoader:
    """Loads the shards of one lane, one after another, in the same memory."""

    def __init__(
        self, options: LoaderOptions, backend: Backend = NUMPY, pool: Pool = SERIAL
    ) -> None:
        self._options = options
        self._gather = backend.version_of(gather_rows, pool)
        transform = options.transform
        self._transform = (
            transform.with_backend(backend) if isinstance(transform, UsesBackend) else transform
        )
        operation = operation_of(transform)
        self._takes_as_stored = isinstance(operation, CastRows)
        self._may_change = operation is None  # a transform of the user's own, perhaps in place
        self._stored: npt.NDArray[np.generic] | None = None
        self._x: Array = np.empty((0, *options.input_shape), options.dtype)

    def load(self, batch: Batch, reader: RowReader, rows_of_batch: slice) -> Shard:
        """Return some rows of a batch as a shard for the network.

        Parameters
        ----------
        batch : Batch
        reader : RowReader
            The reader of the batch's stored inputs.
        rows_of_batch : slice
            The rows of the shard within the batch.

        Returns
        -------
        Shard
            Its inputs are in memory that the next call overwrites.
        """
        arrays, rows = batch.arrays, batch.rows_of(rows_of_batch)
        targets = arrays.targets[rows]
        weights = None if arrays.weights is None else arrays.weights[rows]
        if len(self._x) < len(targets):
            self._x = np.empty((len(targets), *self._x.shape[1:]), self._x.dtype)
        x = self._x[: len(targets)]
        augmentation = step_augmentation(self._options, batch)
        change = self._may_change or augmentation is not None
        stored = self._take(reader, rows, x, change=change)
        if augmentation is not None:
            augmentation(stored, rows, rows_of_batch.start)
        self._transform(stored, x.reshape(len(x), -1))
        return Shard(x, targets, weights, self._stream(batch, rows_of_batch.start))

    def _stream(self, batch: Batch, start: int) -> StepStream | None:
        """Return the random stream of a shard, keyed by its first row, not by its lane."""
        if not self._options.draws or batch.epoch is None:
            return None
        return StepStream(self._options.seed, Purpose.LAYER, (batch.epoch, batch.step or 0, start))

    def _take(self, reader: RowReader, rows: Rows, x: Array, *, change: bool) -> npt.NDArray[Any]:
        """Return stored rows: a view, or a copy in reused memory.

        It is a copy if rows are not consecutive, or may be changed; made in ``x`` if the transform
        would only copy it there.
        """
        if isinstance(rows, slice) and not change:
            return reader.rows(rows)
        inputs = reader.inputs
        shape = (len(x), *inputs.shape[1:])
        if self._takes_as_stored and inputs.dtype == x.dtype:
            stored = x.reshape(shape)
        else:
            if self._stored is None or len(self._stored) < len(x):
                self._stored = np.empty(shape, inputs.dtype)
            stored = self._stored[: len(x)]
        if isinstance(rows, slice):
            np.copyto(stored, reader.rows(rows))
        else:
            reader.copy(rows, stored, self._gather)
        return stored


def step_augmentation(options: LoaderOptions, batch: Batch) -> StepAugmentation | None:
    """Return the augmentation of a batch, None if it has none."""
    if not options.augment or batch.epoch is None:
        return None
    stream = StepStream(options.seed, Purpose.AUGMENT, (batch.epoch, batch.step or 0))
    return StepAugmentation(options.augment, stream, batch.epoch)


def gather_rows(
    inputs: npt.NDArray[np.generic], rows: npt.NDArray[np.integer], out: npt.NDArray[np.generic]
) -> None:
    """Copy rows of ``inputs``, shape (N, ...), into ``out``, shape (n, ...), contiguous.

    The indices ``rows``, shape (n,), must be in range; they are not checked.
    """
    inputs.take(rows, axis=0, out=out, mode="clip")  # other modes make one more copy
