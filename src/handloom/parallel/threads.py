"""Thread pool that runs several calls in parallel, while BLAS is held to one thread."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from handloom.errors import require_count
from handloom.parallel.blas import BlasHold, single_threaded_blas
from handloom.parallel.partition import LANES
from handloom.parallel.pool import Pool, Splitter

Wait = Callable[[npt.NDArray[np.int64], int], None]
"""``wait(counter, seen)`` returns when a counter, shape (1,), is no longer ``seen``, or after some
milliseconds. It spins, without the GIL."""

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Result = TypeVar("Result")
Item = TypeVar("Item")


def default_threads(lanes: int = LANES, sharing: int = 1) -> int:
    """Return the default number of threads: the number of cores, at most one per lane.

    Of ``sharing`` processes that run on the same cores, each gets its share, at least one.

    The environment variables that limit the threads of BLAS (`LIMITS`) apply too: a hyperparameter
    search sets them for processes that share a machine.
    """
    limits = (os.environ.get(name, "") for name in LIMITS)
    counts = (int(limit) for limit in limits if limit.isdecimal())
    return max(1, min(lanes, len(usable_cores()) // sharing, *counts))


def usable_cores() -> frozenset[int]:
    """Return the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


class _Task(Generic[Result]):
    """A call, then its result or error; ``awaited`` if a thread waits for it."""

    def __init__(self, call: Callable[[], Result], *, awaited: bool = True) -> None:
        self.call, self.awaited = call, awaited
        self.result: Result
        self.error: BaseException | None = None
        self._started, self._ended, self._canceled = False, False, False

    def run(self, blas: BlasHold | None = None) -> None:
        self._started = True  # before it looks whether it is canceled: see `cancel`
        try:
            if blas is not None:
                blas.look()  # some libraries keep a number for each thread
            if not self._canceled:
                self.result = self.call()
        except BaseException as error:
            self.error = error
        finally:
            self._ended = True

    def cancel(self) -> None:
        """Make sure that the call does not begin any more, and wait until it has ended."""
        self._canceled = True
        while self._started and not self._ended:
            time.sleep(0.001)


class _Queue(Generic[Item]):
    """A queue whose readers spin for a while before they sleep, if ``wait`` is set."""

    def __init__(self, wait: Wait | None) -> None:
        self._items: SimpleQueue[Item] = SimpleQueue()
        self._added, self._wait = np.zeros(1, np.int64), wait

    def put(self, item: Item) -> None:
        self._items.put(item)
        self._added += 1  # not atomic: a lost addition only makes a reader spin longer

    def get(self) -> Item:
        seen = int(self._added[0])
        if self._wait is not None and self._items.empty():
            self._wait(self._added, seen)
        return self._items.get()

    def get_nowait(self) -> Item:
        return self._items.get_nowait()


class Threads(Pool):
    """A thread pool. Threads are reused, since starting one takes as long as a small step.

    They start when `run` first gets several calls, or `run_in_background` a call, and end with the
    ``with`` block.

    Parameters
    ----------
    threads : int, optional
        The most calls that run in parallel; by default the number of cores, at most one per lane.
    lanes : int
        The recorded number of lanes, by which work is cut for any number of threads.
    wait : callable, optional
        See `Wait`; with it, threads stay awake between the calls of a step.

    Raises
    ------
    ConfigurationError
        If ``threads`` or ``lanes`` is not a whole number of at least 1.
    """

    def __init__(
        self, threads: int | None = None, *, lanes: int = LANES, wait: Wait | None = None
    ) -> None:
        self.lanes = require_count("lanes", lanes)
        self.threads = (
            default_threads(lanes) if threads is None else require_count("threads", threads)
        )
        self.splitter: Splitter | None = None
        self._tasks: _Queue[_Task[object] | None] = _Queue(wait)
        self._done: _Queue[_Task[object]] = _Queue(wait)
        self._helpers: list[Thread] = []
        self._background_end: Callable[[], object] | None = None
        self._failed: BaseException | None = None
        self._helper_count = 0
        self._blas: BlasHold | None = None
        self._cleanup = ExitStack()

    def __getstate__(self) -> object:
        """Refuse copies and pickles.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            "threads, and a prepared training that has some, cannot be copied or pickled: copy its "
            "state, model or network"
        )

    def __enter__(self) -> Self:
        self._blas = self._cleanup.enter_context(single_threaded_blas())
        self._helper_count = min(self.threads, self.lanes) - 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._cleanup:  # also if a second Ctrl-C ends the wait for helpers
            self._end_background_call()
            for _ in self._helpers:
                self._tasks.put(None)
            for helper in self._helpers:
                helper.join()
            self._helpers, self._helper_count, self._blas = [], 0, None
        failed, self._failed = self._failed, None
        if failed is not None and error is None:
            raise failed  # by a call that no thread waited for

    def run(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """Make the calls, in parallel if there are helper threads; return the results in order.

        The first error in their order is raised. With helper threads all calls have ended before;
        on the calling thread alone, the calls after the one that failed are not made.
        """
        if not self._helper_count or len(calls) < 2:
            return [call() for call in calls]
        self._end_background_call()
        self._start()
        tasks = [_Task(call) for call in calls]
        try:
            self._share(tasks)
        except BaseException:  # such as Ctrl-C: calls must not write to memory that is used again
            for task in tasks:
                task.cancel()
            raise
        for task in tasks:
            if task.error is not None:
                raise task.error
        return [task.result for task in tasks]

    def _share(self, tasks: "list[_Task[Result]]") -> None:
        """Run tasks on this thread and on helper threads, until all have ended."""
        for task in tasks[1:]:
            self._tasks.put(task)  # type: ignore[arg-type]
        tasks[0].run()
        open_tasks = len(tasks) - 1
        while open_tasks:  # run tasks while others are open
            try:
                task = self._tasks.get_nowait()  # type: ignore[assignment]
            except Empty:
                break
            task.run()
            if task in tasks:  # else it is the background call, or canceled
                open_tasks -= 1
        while open_tasks:
            if self._done.get() in tasks:
                open_tasks -= 1

    def undisturbed(self, call: Callable[[], Result], *, repeat: bool = True) -> Result:
        """Make a call during which BLAS has one thread; see `BlasHold.undisturbed`."""
        return call() if self._blas is None else self._blas.undisturbed(call, repeat=repeat)

    def run_in_background(self, call: Callable[[], object], end: Callable[[], object]) -> bool:
        """Make a call on a helper thread, in the background: no thread waits for it.

        Parameters
        ----------
        call : callable
            Ends by itself after a while without work.
        end : callable
            Makes the call end soon. It is called before the helpers are needed for other work.

        Returns
        -------
        bool
            False if the pool has no helper thread, so that the call is not made.
        """
        if not self._helper_count:
            return False
        if self._background_end != end:  # if it is the same, the earlier call has ended
            self._end_background_call()
        self._start()
        self._background_end = end
        self._tasks.put(_Task(call, awaited=False))
        return True

    def _end_background_call(self) -> None:
        """Make the background call end."""
        end, self._background_end = self._background_end, None
        if end is not None:
            end()

    def _start(self) -> None:
        while len(self._helpers) < self._helper_count:
            self._helpers.append(Thread(target=self._help, name="handloom", daemon=True))
            self._helpers[-1].start()

    @np.errstate(over="ignore", invalid="ignore")  # the caller checks the result
    def _help(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.run(self._blas)
            if task.awaited:
                self._done.put(task)
            elif task.error is not None:
                self._failed = task.error
