"""Compiled jobs in two parts, on two threads that do not wait for the GIL.

A helper thread spins on a cell in memory. The calling thread writes a job there, runs the first
part itself, and then the second part too if the helper has not taken it. So no job waits for a
thread to wake up. If the helper has taken the second part, the caller spins until it is done; this
can take longer than running both parts, if another process has the helper's core. The results do
not depend on the thread that ran a part.

The two parts of a job are no lanes: a lane of a training has its own replica of the network, and
may itself run jobs.
"""

from collections.abc import Callable
from functools import cache
from threading import get_ident
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import carray, types  # type: ignore[attr-defined]
from numba.extending import intrinsic

from handloom.fused.atomics import PATIENCE, atomic_load, atomic_store, compare_exchange
from handloom.fused.compiling import compiled, compiled_callback, compiled_inline, pointer

IDLE, READY, TAKEN, LEAVE = range(4)

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., object])
RunInBackground = Callable[[Callable[[], object], Callable[[], object]], bool]
"""``run_in_background(call, end)`` makes a call on a helper thread, until the call has had no work
for a while or until ``end()`` is called. It returns False if there is no helper thread."""


def splits(function: Function) -> Function:
    """Mark a compiled version that runs split jobs: it takes a pool before its other arguments."""
    function.splits = True  # type: ignore[attr-defined]
    return function


class Job(Protocol):
    """A compiled function for an index range of some work; valid as long as this object exists."""

    @property
    def address(self) -> int:
        """The address of the function."""
        ...


def compile_job(function: Callable[[Any, int, int], None]) -> Job:
    """Compile a function for an index range of some work.

    Parameters
    ----------
    function : callable
        ``function(args, start, stop)``, which gets its arrays by `array_at`. Its name is the
        job's in Numba's cache. An error in it is lost: check the arguments before running the job.
    """
    return cast(Job, compiled_callback(function, "void(int64, int64, int64)"))


def pack_arrays(*arrays: Array) -> Array:
    """Return the arguments of a job: the address and size of each array, int64, shape (arrays, 2).

    Addresses keep no array alive: the caller holds the arrays until the job is done.

    Raises
    ------
    ValueError
        If an array is not C-contiguous.
    """
    for index, array in enumerate(arrays):
        if not array.flags.c_contiguous:
            raise ValueError(
                f"array {index} of a job must be C-contiguous, got strides {array.strides}"
            )
    return np.array([(array.ctypes.data, array.size) for array in arrays], np.int64)


@compiled_inline
def array_at(args: Any, index: int, kind: Any) -> Any:
    """Return an array of a job's arguments, flat; ``kind`` is the type of its entries."""
    cells: Any = carray(pointer(args), (index + 1, 2), np.int64)
    return carray(pointer(cells[index, 0]), (cells[index, 1],), kind)


class SplitJobs:
    """Runs jobs in two parts, on the calling thread and on a helper thread.

    Parameters
    ----------
    run_in_background : callable or None
        See `RunInBackground`.
    """

    def __init__(self, run_in_background: RunInBackground | None) -> None:
        self._run_in_background, self._has_helper = run_in_background, False
        self._owner, self._cell = get_ident(), _new_cell()

    def run_job(self, job: Job, args: Array, cut: int, stop: int) -> bool:
        """Run a job up to ``cut`` here, and from there to ``stop`` on the first free thread.

        Parameters
        ----------
        job : Job
        args : int64 array
            See `pack_arrays`.
        cut, stop : int
            Neither part is empty: ``0 < cut < stop``. A job can tell the parts apart: the first has
            ``start == 0``.

        Returns
        -------
        bool
            True if no helper took the second part, so that this thread ran both.
        """
        # The helper reads the cell of the thread that requested it; any other thread gets a cell
        # that no helper reads, and runs both parts.
        cell = self._cell if get_ident() == self._owner else _new_cell()
        ran_both: bool = _run_job_with_helper(cell, job.address, args, cut, stop)
        return ran_both

    def request_helper(self) -> None:
        """Wake a helper thread, unless one helps already.

        The helper stops spinning when no job has come for a few milliseconds.
        """
        self._owner = get_ident()
        if self._run_in_background is not None and not self._has_helper:
            _withdraw_dismissal(self._cell)  # cancels a dismissal that no helper has seen yet
            self._has_helper = True  # set before the call: `_serve` may end before it returns
            if not self._run_in_background(self._serve, self.dismiss):
                self._has_helper = False

    def dismiss(self) -> None:
        """End the helper's call, so that its thread is free for other work."""
        _post_dismissal(self._cell)

    def warm_up(self, job: Job) -> None:
        """Compile all functions, or read them from the cache, by a job with empty parts."""
        args = pack_arrays(np.zeros(1))
        run_serially(job, args, 0)
        self.run_job(job, args, 0, 0)
        _withdraw_dismissal(self._cell)
        self.dismiss()
        self._serve()

    def _serve(self) -> None:
        try:
            _run_second_parts(self._cell, PATIENCE)
        finally:
            self._has_helper = False


def _new_cell() -> Array:
    """Return a cell: the state of the second part, and its job, arguments, start and stop."""
    return np.zeros(5, np.int64)


def _call_address(_: Any, address: Any, args: Any, start: Any, stop: Any) -> Any:
    """Generate a call of a job."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 3)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


call_address: Any = intrinsic(_call_address)


@compiled
def _run_job_with_helper(cell, job, args, cut, stop):  # type: ignore[no-untyped-def]
    """Post the second part, run the first, then run or await the second.

    While the cell is LEAVE (a helper is dismissed and has not read it yet), nothing is posted, and
    this thread runs both parts. Return True if this thread ran both.
    """
    args_address = args.ctypes.data
    cell[1], cell[2], cell[3], cell[4] = job, args_address, cut, stop
    posted = compare_exchange(cell, IDLE, READY)
    call_address(job, args_address, 0, cut)
    if posted and not compare_exchange(cell, READY, TAKEN):
        while atomic_load(cell) != IDLE:
            pass
        return False
    call_address(job, args_address, cut, stop)
    if posted:
        atomic_store(cell, IDLE)
    return True


def run_serially(job: Job, args: Array, stop: int) -> None:
    """Run a whole job on this thread, in one call."""
    _run_serially(job.address, args, stop)


@compiled
def _run_serially(job, args, stop):  # type: ignore[no-untyped-def]
    call_address(job, args.ctypes.data, 0, stop)


@compiled
def _run_second_parts(cell, patience):  # type: ignore[no-untyped-def]
    """Run second parts until none has come for ``patience`` reads of the cell, or until LEAVE."""
    looks = 0
    while looks < patience:
        looks += 1
        state = atomic_load(cell)
        if state == LEAVE and compare_exchange(cell, LEAVE, IDLE):
            return
        if state == READY and compare_exchange(cell, READY, TAKEN):
            call_address(cell[1], cell[2], cell[3], cell[4])
            atomic_store(cell, IDLE)
            looks = 0


@compiled
def _post_dismissal(cell):  # type: ignore[no-untyped-def]
    compare_exchange(cell, IDLE, LEAVE)


@compiled
def _withdraw_dismissal(cell):  # type: ignore[no-untyped-def]
    compare_exchange(cell, LEAVE, IDLE)


def compile_for(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled, or read from the cache; they are the same for any dtype."""
    SplitJobs(None).warm_up(_empty_job())


@cache
def _empty_job() -> Job:
    def run_nothing(args, start, stop):  # type: ignore[no-untyped-def]
        pass

    return compile_job(run_nothing)
