"""The rows of the next few steps, in memory: read and augmented before the steps are made."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.backend import Backend
from handloom.data.batches import Batch, LoaderOptions, Order, gather_rows, step_augmentation
from handloom.data.row_reader import RowReader
from handloom.operations import STORED_DTYPES, Arrays
from handloom.parallel.pool import Pool

BYTES = 1 << 24
"""The size of a window, unless a batch is larger."""


def can_be_read_in_place(inputs: npt.NDArray[Any]) -> bool:
    """Return whether stored rows are an array in memory, contiguous, in one of `STORED_DTYPES`."""
    in_memory = type(inputs) is np.ndarray and inputs.flags.c_contiguous and inputs.flags.aligned
    return in_memory and inputs.dtype in STORED_DTYPES


class Window:
    """Memory for the stored rows of a few steps, which are loaded from anywhere.

    Rows come from a mapped file, from an object that loads rows, from an array of another dtype or
    layout, or are images that are changed other than by moves.

    Parameters
    ----------
    arrays : Arrays
        All rows.
    options : LoaderOptions
        Says how rows are augmented, and the dtype of the network.
    batch_rows : int
        The most rows of a step.
    backend : Backend
    pool : Pool
        Its threads share the steps to load.
    """

    def __init__(
        self,
        arrays: Arrays,
        options: LoaderOptions,
        batch_rows: int,
        backend: Backend,
        pool: Pool,
    ) -> None:
        self._arrays, self._options, self._pool = arrays, options, pool
        self._reader = RowReader(arrays.inputs)
        self._gather = backend.version_of(gather_rows)
        shape, dtype = arrays.inputs.shape[1:], arrays.inputs.dtype
        fitting = BYTES // max(1, dtype.itemsize * int(np.prod(shape)))
        self.rows = max(batch_rows, min(fitting, len(arrays.inputs)))
        self._stored = np.empty((self.rows, *shape), dtype)
        takes = dtype in STORED_DTYPES
        self._inputs = self._stored if takes else np.empty(self._stored.shape, options.dtype)

    def steps_that_fit(self, starts: npt.NDArray[np.int64]) -> int:
        """Return how many steps fit, of those whose rows begin and end at ``starts``."""
        return int(np.searchsorted(starts - starts[0], self.rows, side="right")) - 1

    def load(self, order: Order, first: int, starts: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the stored rows of steps that fit, one step after another, augmented.

        Parameters
        ----------
        order : Order
        first : int
            The index of the first step within the epoch.
        starts : int64 array, shape (steps + 1,)
            Where the rows of each step begin within the epoch, and where the last ones end.

        Returns
        -------
        array, shape (n, ...)
            In memory that the next call overwrites.
        """
        parts = np.array_split(np.arange(len(starts) - 1), self._pool.lanes)
        self._pool.run([partial(self._load_steps, order, first, starts, part) for part in parts])
        return self._inputs[: starts[-1] - starts[0]]

    def _load_steps(
        self,
        order: Order,
        first: int,
        starts: npt.NDArray[np.int64],
        steps: npt.NDArray[np.int64],
    ) -> None:
        for step in steps.tolist():
            rows = order.batch(first + step)
            begin, end = starts[step : step + 2] - starts[0]
            stored = self._stored[begin:end]
            if isinstance(rows, slice):
                np.copyto(stored, self._reader.rows(rows))
            else:
                self._reader.copy(rows, stored, self._gather)
            batch = Batch(self._arrays, rows, order.epoch, first + step)
            augmentation = step_augmentation(self._options, batch)
            if augmentation is not None:
                augmentation(stored, rows, 0)
            if self._inputs is not self._stored:
                self._inputs[begin:end] = stored
