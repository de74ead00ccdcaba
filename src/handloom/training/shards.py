"""How a batch is cut into shards and dealt to lanes, and who runs the lanes.

Cut and deal look at the number of rows only, and lanes are summed in their order. So the arithmetic
is the same whoever runs it, and results agree to the bit for any number of threads.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from itertools import pairwise
from types import TracebackType
from typing import Self, TypeVar

from handloom.errors import require_count

SHARD_ROWS = 1024
LANES = 4

Result = TypeVar("Result")


def cut(rows: int) -> list[list[slice]]:
    """Cut ``rows`` rows into shards of nearly equal size and deal them to lanes.

    Returns
    -------
    list of list of slice
        For each lane, its shards in order: runs of at most ``SHARD_ROWS`` rows, which fit the
        cache. There are at most ``LANES`` lanes, and none is empty unless ``rows`` is zero.
    """
    shards = max(1, -(-rows // SHARD_ROWS))
    bounds = [rows * shard // shards for shard in range(shards + 1)]
    slices = [slice(start, stop) for start, stop in pairwise(bounds)]
    lanes = min(LANES, shards)
    return [slices[lane::lanes] for lane in range(lanes)]


def default_threads() -> int:
    """Return how many threads to use where nobody says: the cores there are, at most one a lane."""
    if hasattr(os, "sched_getaffinity"):
        return min(LANES, len(os.sched_getaffinity(0)))
    return min(LANES, os.cpu_count() or 1)


class Workers:
    """A pool of threads that runs lanes, and holds BLAS to one thread meanwhile.

    The lanes carry the parallelism: the matrix products of one shard are too small to gain from a
    second thread, and with one thread they give the same bits on every number of cores.

    Parameters
    ----------
    threads : int, optional
        How many lanes run at once; by default as many as there are cores, at most one a lane.

    Raises
    ------
    ConfigurationError
        If ``threads`` is no whole number of at least 1.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = default_threads() if threads is None else require_count("threads", threads)
        self._pool: Executor | None = None
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        self._cleanup.enter_context(single_threaded_blas())
        if self.threads > 1:
            self._pool = self._cleanup.enter_context(
                ThreadPoolExecutor(self.threads, thread_name_prefix="handloom")
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool = None
        self._cleanup.close()

    def run(self, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
        """Run the tasks, several at once where there are threads; return the results in order."""
        if self._pool is None or len(tasks) == 1:
            return [task() for task in tasks]
        return [future.result() for future in [self._pool.submit(task) for task in tasks]]


def single_threaded_blas() -> AbstractContextManager[object]:
    """Hold BLAS to one thread; what the user had set is restored at the end."""
    from threadpoolctl import threadpool_limits  # imported when training, not with the package

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits
