"""Compiled jobs in two lanes, on two threads that do not meet at the interpreter's lock.

A thread that is awake watches a cell in memory. Another one writes a job there, runs the first lane
itself, and then the second one too if nobody has taken it. So nothing ever waits for a thread that
sleeps, and the results are the same whoever computed what.
"""

from collections.abc import Callable
from functools import cache
from threading import get_ident
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import carray, cfunc, types  # type: ignore[attr-defined]
from numba.extending import intrinsic

from handloom.fused.atomics import PATIENCE, exchange, look, store
from handloom.fused.compiling import compiled, compiled_within, pointer

IDLE, READY, TAKEN, LEAVE = range(4)

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., object])
Lend = Callable[[Callable[[], object], Callable[[], object]], bool]
"""``lend(call, recall)`` has another thread make a call that lasts until nothing is asked of it for
a while, or until ``recall()``; False where there is no other thread."""


def splits(function: Function) -> Function:
    """Mark a compiled version that shares its work: it takes a pool before its other arguments."""
    function.splits = True  # type: ignore[attr-defined]
    return function


class Job(Protocol):
    """A compiled function that does a part of some work; it is there as long as this object is."""

    @property
    def address(self) -> int:
        """Where it lies in memory."""
        ...


def job(function: Callable[[Any, int, int], None]) -> Job:
    """Compile what does a part of some work.

    Parameters
    ----------
    function : callable
        ``function(arguments, start, stop)``, where `array_at` finds the arrays. Nobody would hear
        of an error that it raises: whoever runs a job has checked what it is given.
    """
    compile_job = cfunc("void(int64, int64, int64)", cache=True, error_model="numpy")
    return cast(Job, compile_job(function))


def arguments(*arrays: Array) -> Array:
    """Return where arrays lie and how large they are, as a job takes them.

    Addresses keep nothing alive: whoever makes them holds the arrays until the job is done.

    Raises
    ------
    ValueError
        If an array has gaps or is in another order than that of its memory.
    """
    for index, array in enumerate(arrays):
        if not array.flags.c_contiguous:
            raise ValueError(
                f"array {index} of a job must be contiguous, its strides: {array.strides}"
            )
    return np.array([(array.ctypes.data, array.size) for array in arrays], np.int64)


@compiled_within
def array_at(given: Any, place: int, kind: Any) -> Any:
    """Return an array that a job was given, flat; ``kind`` is the type of its entries."""
    cells: Any = carray(pointer(given), (place + 1, 2), np.int64)
    return carray(pointer(cells[place, 0]), (cells[place, 1],), kind)


class SplitJobs:
    """Has jobs run in two lanes, by the thread that asks for help and by one that helps.

    Parameters
    ----------
    lend : callable or None
        See `Lend`.
    """

    def __init__(self, lend: Lend | None) -> None:
        self._lend, self._lent = lend, False
        self._owner, self._cell = get_ident(), _new_cell()

    def run(self, job: Job, given: Array, middle: int, stop: int) -> bool:
        """Do a job from 0 to ``middle`` here, and from there to ``stop`` wherever there is time.

        Parameters
        ----------
        job : Job
        given : int64 array
            See `arguments`.
        middle, stop : int
            Neither lane is empty: ``0 < middle < stop``. A job knows its lane by where it starts.

        Returns
        -------
        bool
            Whether this thread did all of it.
        """
        # a thread that shares some other work has no part in the cell
        cell = self._cell if get_ident() == self._owner else _new_cell()
        alone: bool = _run(cell, job.address, given, middle, stop)
        return alone

    def ask(self) -> None:
        """Have a thread help, for as long as work follows closely, unless one does already."""
        self._owner = get_ident()
        if self._lend is not None and not self._lent:
            _clear(self._cell)  # nobody was there to hear that help was no longer needed
            self._lent = True  # until it ends, which may be before the next line
            if not self._lend(self._serve, self.dismiss):
                self._lent = False

    def dismiss(self) -> None:
        """Let the thread that helps do something else."""
        _dismiss(self._cell)

    def rehearse(self, job: Job) -> None:
        """Have everything compiled, or read from the cache, by a job whose lanes are empty."""
        given = arguments(np.zeros(1))
        run_whole(job, given, 0)
        self.run(job, given, 0, 0)
        _clear(self._cell)
        self.dismiss()
        self._serve()

    def _serve(self) -> None:
        try:
            _serve(self._cell, PATIENCE)
        finally:
            self._lent = False


def _new_cell() -> Array:
    """Return the state of the second lane, and what it takes to run it."""
    return np.zeros(5, np.int64)


def _call(_: Any, address: Any, where: Any, start: Any, stop: Any) -> Any:
    """Generate a call of a job."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 3)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


call: Any = intrinsic(_call)


@compiled
def _run(cell, job, given, middle, stop):  # type: ignore[no-untyped-def]
    """Post the second lane, run the first, and see to the second.

    It is not posted to a helper that has been told to leave, and may not have heard of it yet.
    """
    where = given.ctypes.data
    cell[1], cell[2], cell[3], cell[4] = job, where, middle, stop
    posted = exchange(cell, IDLE, READY)
    call(job, where, 0, middle)
    if posted and not exchange(cell, READY, TAKEN):
        while look(cell) != IDLE:
            pass
        return False
    call(job, where, middle, stop)
    if posted:
        store(cell, IDLE)
    return True


def run_whole(job: Job, given: Array, stop: int) -> None:
    """Do all of a job here."""
    _run_whole(job.address, given, stop)


@compiled
def _run_whole(job, given, stop):  # type: ignore[no-untyped-def]
    call(job, given.ctypes.data, 0, stop)


@compiled
def _serve(cell, patience):  # type: ignore[no-untyped-def]
    """Run second lanes until there are none for a while, or somebody says so."""
    looks = 0
    while looks < patience:
        looks += 1
        found = look(cell)
        if found == LEAVE and exchange(cell, LEAVE, IDLE):
            return
        if found == READY and exchange(cell, READY, TAKEN):
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
    SplitJobs(None).rehearse(_nothing())


@cache
def _nothing() -> Job:
    def run(given, start, stop):  # type: ignore[no-untyped-def]
        pass

    return job(run)
