"""Pool: runs the pieces of work; here one lane, on the calling thread.

`handloom.parallel.threads.Threads` runs several lanes at once. Ranks on several machines could too:
a pool returns the results in lane order, and they are added in it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from handloom.operations import Array
from handloom.parallel.partition import (
    BLOCK,
    blocks,
    product_is_shared,
    product_pieces,
    update_pieces,
)

Result = TypeVar("Result")


class Splitter(Protocol):
    """Runs a compiled job in two lanes that do not wait for the GIL."""

    def run(self, job: object, arguments: npt.NDArray[np.int64], middle: int, stop: int) -> bool:
        """Run a job up to ``middle`` here and from there to ``stop`` on any awake thread.

        Return whether this thread ran all of it.
        """
        ...

    def ask(self) -> None:
        """Request the help of another thread, until no job comes for some milliseconds."""
        ...


class Pool:
    """Runs calls one after another, in a single lane.

    Attributes
    ----------
    lanes : int
        The most pieces that work is cut into.
    splitter : Splitter or None
        Shares compiled jobs between threads, where a backend has given the pool one.
    """

    lanes: int = 1
    splitter: Splitter | None = None

    def run(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """Make calls that do not depend on each other; return their results in order."""
        return [call() for call in calls]

    def cut(self, *vectors: Array, whole: bool = False) -> list[list[tuple[Array, ...]]]:
        """Cut vectors of one length and dtype into pieces for lanes, and those into blocks.

        Parameters
        ----------
        *vectors : array, shape (size,)
        whole : bool
            Whether pieces stay whole, for a function that makes a single pass.

        Returns
        -------
        list of list of tuple
            For each piece its blocks, in order: a view into every vector, shape (m,), and scratch
            memory of the same shape, which the blocks of a piece share. It is empty for those that
            stay whole.
        """
        pieces = []
        for piece in update_pieces(len(vectors[0]), self.lanes):
            size = 0 if whole else min(BLOCK, piece.stop - piece.start)
            scratch = np.empty(size, vectors[0].dtype)
            pieces.append(
                [
                    (*(vector[block] for vector in vectors), scratch[: block.stop - block.start])
                    for block in blocks(piece, None if whole else BLOCK)
                ]
            )
        return pieces


SERIAL = Pool()


def matmul(a: Array, b: Array, out: Array, pool: Pool = SERIAL) -> Array:
    """Write ``a b`` into ``out`` and return it; the lanes of a pool share a large matrix product.

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
    if pool.lanes == 1 or not product_is_shared(n, d, h):
        return np.matmul(a, b, out=out)
    pieces = product_pieces(n, d, h, pool.lanes)
    if n >= h:
        pool.run([partial(np.matmul, a[rows], b, out=out[rows]) for rows in pieces])
    else:
        pool.run([partial(np.matmul, a, b[:, cut], out=out[:, cut]) for cut in pieces])
    return out
