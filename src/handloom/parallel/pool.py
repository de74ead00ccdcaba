"""Pools, which run calls that do not depend on each other.

`SerialPool` runs them one after another, `handloom.parallel.threads.Threads` several in parallel.
Both return the results in the order of the calls, so sums of the results do not depend on the
threads.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from handloom.operations import Array
from handloom.parallel.partition import (
    BLOCK,
    blocks,
    product_pieces,
    update_pieces,
)

Result = TypeVar("Result")


class Splitter(Protocol):
    """Runs a compiled job in two parts that do not wait for the GIL."""

    def run_job(self, job: object, arguments: npt.NDArray[np.int64], cut: int, stop: int) -> bool:
        """Run a job up to ``cut`` on this thread, and from there to ``stop`` on a helper thread.

        If no helper is awake, this thread runs the second part too. Return True in that case.
        """
        ...

    def request_helper(self) -> None:
        """Wake a helper thread, which spins until no job has come for a few milliseconds."""
        ...


class Pool(ABC):
    """Runs calls that do not depend on each other; base class of pools.

    Attributes
    ----------
    lanes : int
        The recorded number of lanes, by which `handloom.parallel.partition` cuts work. It is not
        the number of threads.
    splitter : Splitter or None
        Runs compiled jobs in two parts; None if the backend has no compiled jobs.
    """

    lanes: int = 1
    splitter: Splitter | None = None

    @abstractmethod
    def run(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """Make calls that do not depend on each other; return the results in their order."""

    def undisturbed(self, call: Callable[[], Result], *, repeat: bool = True) -> Result:
        """Make a call. A pool that holds BLAS makes it again if other code sets BLAS meanwhile.

        Parameters
        ----------
        call : callable
            With ``repeat``, one that overwrites its results.
        repeat : bool
            Whether it may be made again; else a warning says that its last bits may differ.
        """
        return call()

    def blocks_by_piece(
        self, *vectors: Array, single_block: bool = False
    ) -> list[list[tuple[Array, ...]]]:
        """Cut vectors of one length and dtype into pieces, and those into blocks.

        Pieces are cut by `update_pieces`, and have blocks of `BLOCK` entries.

        Parameters
        ----------
        *vectors : array, shape (size,)
        single_block : bool
            Whether each piece is a single block, for a function that makes a single pass.

        Returns
        -------
        list of list of tuple
            The blocks of each piece, in order. A block is a tuple: one view per vector, shape (m,),
            then scratch memory of the same shape, or of shape (0,) if ``single_block``. The blocks
            of a piece share their scratch memory.
        """
        pieces = []
        for piece in update_pieces(len(vectors[0]), self.lanes):
            size = 0 if single_block else min(BLOCK, piece.stop - piece.start)
            scratch = np.empty(size, vectors[0].dtype)
            pieces.append(
                [
                    (*(vector[block] for vector in vectors), scratch[: block.stop - block.start])
                    for block in blocks(piece, None if single_block else BLOCK)
                ]
            )
        return pieces


class SerialPool(Pool):
    """Runs calls one after another on the calling thread."""

    def run(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """Make the calls; return the results in their order."""
        return [call() for call in calls]


SERIAL = SerialPool()


def matmul(a: Array, b: Array, out: Array, pool: Pool = SERIAL) -> Array:
    """Write ``a b`` into ``out`` and return it; a pool runs the pieces of a large matrix product.

    See `product_pieces` for the cuts.

    Parameters
    ----------
    a : array, shape (n, d)
    b : array, shape (d, h)
    out : array, shape (n, h)
    pool : Pool
    """
    (n, d), h = a.shape, b.shape[1]
    if d == 1:
        return np.multiply(a, b, out=out)  # the gradient of a single output: BLAS is slow there
    pieces = product_pieces(n, d, h, pool.lanes) if pool.lanes > 1 else []
    if len(pieces) < 2:
        return np.matmul(a, b, out=out)
    pool.run(
        [
            partial(np.matmul, a[rows], b[:, columns], out=out[rows, columns])
            for rows, columns in pieces
        ]
    )
    return out
