"""Turns of several ranks: contestants are timed against each other, also those of one rank.

The other ranks sleep meanwhile: a rank that waits in MPI keeps its core busy.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial

from mpi4py import MPI

from benchmarks.measure import Spent, Timing, in_turn, spent

WORLD = MPI.COMM_WORLD

Call = Callable[[], Spent]


def together(calls: Mapping[str, Call | None], rounds: int) -> dict[str, Timing]:
    """Time calls in turn; every rank has the same names, and None where it takes no part."""
    return in_turn({name: partial(_met, call) for name, call in calls.items()}, rounds)


def _met(call: Call | None) -> Spent:
    """Wait for all ranks, asleep, then make a call."""
    request = WORLD.Ibarrier()
    while not request.Test():
        time.sleep(0.05)
    return Spent(1.0, 1.0) if call is None else call()


def repeated(call: Callable[[], object], times: int) -> Spent:
    """Return the mean time of several calls, once all ranks have come."""
    WORLD.Barrier()
    taken = spent(lambda: [call() for _ in range(times)])
    return Spent(*(value / times for value in taken))


def tell(text: str) -> None:
    """Print progress on rank 0."""
    if WORLD.Get_rank() == 0:
        print(f"  {text} ...", flush=True)
