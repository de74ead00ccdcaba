"""Compiled jobs in two lanes, on two threads that do not wait for the GIL.

A helper thread spins on a cell in memory. The calling thread writes a job there, runs the first
lane itself, and then the second one too if the helper has not taken it. So no job waits for a
sleeping thread, and the results do not depend on the thread that ran a lane.
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

from handloom.fused.atomics import PATIENCE, exchange, look, store
from handloom.fused.compiling import compiled, compiled_callback, compiled_within, pointer

IDLE, READY, TAKEN, LEAVE = range(4)

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., object])
Lend = Callable[[Callable[[], object], Callable[[], object]], bool]
"""``lend(call, recall)`` has another thread make a call, which ends after a while without work or
after ``recall()``; it returns False if there is no other thread."""


def splits(function: Function) -> Function:
    """Mark a compiled version that shares its work: it takes a pool before its other arguments."""
    function.splits = True  # type: ignore[attr-defined]
    return function


class Job(Protocol):
    """A compiled function that runs a part of some work; valid as long as this object exists."""

    @property
    def address(self) -> int:
        """The address of the function."""
        ...


def job(function: Callable[[Any, int, int], None]) -> Job:
    """Compile a function that runs a part of some work.

    Parameters
    ----------
    function : callable
        ``function(args, start, stop)``, which gets its arrays by `array_at`. An error in it is
        lost: check the arguments before running the job.
    """
    return cast(Job, compiled_callback(function, "void(int64, int64, int64)"))


def arguments(*arrays: Array) -> Array:
    """Return the addresses and sizes of arrays, the arguments of a job.

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


@compiled_within
def array_at(args: Any, index: int, kind: Any) -> Any:
    """Return an array of a job's arguments, flat; ``kind`` is the type of its entries."""
    cells: Any = carray(pointer(args), (index + 1, 2), np.int64)
    return carray(pointer(cells[index, 0]), (cells[index, 1],), kind)


class SplitJobs:
    """Runs jobs in two lanes, on the calling thread and on a helper thread.

    Parameters
    ----------
    lend : callable or None
        See `Lend`.
    """

    def __init__(self, lend: Lend | None) -> None:
        self._lend, self._lent = lend, False
        self._owner, self._cell = get_ident(), _new_cell()

    def run(self, job: Job, args: Array, middle: int, stop: int) -> bool:
        """Run a job up to ``middle`` here, and from there to ``stop`` on the first free thread.

        Parameters
        ----------
        job : Job
        args : int64 array
            See `arguments`.
        middle, stop : int
            Neither lane is empty: ``0 < middle < stop``. A job knows its lane by ``start``.

        Returns
        -------
        bool
            Whether this thread ran all of it.
        """
        # only the owner shares the cell; other threads run both lanes
        cell = self._cell if get_ident() == self._owner else _new_cell()
        alone: bool = _run(cell, job.address, args, middle, stop)
        return alone

    def ask(self) -> None:
        """Request the help of a thread until work pauses, unless one helps already."""
        self._owner = get_ident()
        if self._lend is not None and not self._lent:
            _clear(self._cell)  # a dismissal that no thread received
            self._lent = True  # until `_serve` ends, which may be before the next line
            if not self._lend(self._serve, self.dismiss):
                self._lent = False

    def dismiss(self) -> None:
        """End the helper's call, so that its thread is free for other work."""
        _dismiss(self._cell)

    def rehearse(self, job: Job) -> None:
        """Compile all functions, or read them from the cache, by a job with empty lanes."""
        args = arguments(np.zeros(1))
        run_whole(job, args, 0)
        self.run(job, args, 0, 0)
        _clear(self._cell)
        self.dismiss()
        self._serve()

    def _serve(self) -> None:
        try:
            _serve(self._cell, PATIENCE)
        finally:
            self._lent = False


def _new_cell() -> Array:
    """Return a cell: the state of the second lane, and its job, arguments, start and stop."""
    return np.zeros(5, np.int64)


def _call(_: Any, address: Any, args: Any, start: Any, stop: Any) -> Any:
    """Generate a call of a job."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 3)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


call: Any = intrinsic(_call)


@compiled
def _run(cell, job, args, middle, stop):  # type: ignore[no-untyped-def]
    """Post the second lane, run the first, then run or await the second.

    It is not posted to a dismissed helper, which may not have read that yet.
    """
    args_address = args.ctypes.data
    cell[1], cell[2], cell[3], cell[4] = job, args_address, middle, stop
    posted = exchange(cell, IDLE, READY)
    call(job, args_address, 0, middle)
    if posted and not exchange(cell, READY, TAKEN):
        while look(cell) != IDLE:
            pass
        return False
    call(job, args_address, middle, stop)
    if posted:
        store(cell, IDLE)
    return True


def run_whole(job: Job, args: Array, stop: int) -> None:
    """Run all of a job here."""
    _run_whole(job.address, args, stop)


@compiled
def _run_whole(job, args, stop):  # type: ignore[no-untyped-def]
    call(job, args.ctypes.data, 0, stop)


@compiled
def _serve(cell, patience):  # type: ignore[no-untyped-def]
    """Run second lanes until none comes for a while, or until dismissed."""
    looks = 0
    while looks < patience:
        looks += 1
        state = look(cell)
        if state == LEAVE and exchange(cell, LEAVE, IDLE):
            return
        if state == READY and exchange(cell, READY, TAKEN):
            call(cell[1], cell[2], cell[3], cell[4])
            store(cell, IDLE)
            looks = 0


@compiled
def _dismiss(cell):  # type: ignore[no-untyped-def]
    exchange(cell, IDLE, LEAVE)


@compiled
def _clear(cell):  # type: ignore[no-untyped-def]
    exchange(cell, LEAVE, IDLE)


def rehearse(dtype: np.dtype[Any]) -> None:
    """Have the functions compiled, or read from the cache; they are the same for any dtype."""
    SplitJobs(None).rehearse(_empty_job())


@cache
def _empty_job() -> Job:
    def run(args, start, stop):  # type: ignore[no-untyped-def]
        pass

    return job(run)
