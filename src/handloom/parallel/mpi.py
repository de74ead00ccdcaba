"""Ranks under MPI, by mpi4py."""

import atexit
import os
import socket
import time
from collections.abc import Sequence
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, MissingExtraError, RankError
from handloom.parallel.ranks import ONE, WORD, Bytes, Ranks, Value
from handloom.parallel.threads import usable_cores
from handloom.secondary import reason, say_at_once

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

Distributed = Literal["mpi"]
DISTRIBUTED: tuple[Distributed, ...] = ("mpi",)
"""How ranks talk to each other."""

OF_LAUNCHERS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""The variables in which MPICH, Open MPI and Slurm's srun have the number of processes."""

WHITE = "\0 \t\r\n"
"""Characters around the name of an MPI library."""

LEFT = "its program has ended, or failed outside of a training"
"""The failure of a rank that no longer takes part."""

_STARTING = RLock()
"""Two threads of a rank would make two groups, whose messages mix."""


class MpiRanks(Ranks):
    """The processes of an MPI communicator.

    Agreements and sums have a communicator of their own each, so that they never meet.

    Parameters
    ----------
    communicator : mpi4py.MPI.Intracomm
    """

    def __init__(self, communicator: "Intracomm") -> None:
        self._agreements, self._sums = communicator.Dup(), communicator.Dup()
        self._process = os.getpid()
        self.rank, self.size = communicator.Get_rank(), communicator.Get_size()
        own = socket.gethostname(), usable_cores()
        everyone: list[tuple[str, frozenset[int]]] = self._agreements.allgather(own)
        self.hosts = tuple(host for host, _ in everyone)
        self.sharing_cores = sum(
            host == own[0] and bool(cores & own[1]) for host, cores in everyone
        )

    def exchange(self, sent: Sequence[Bytes], received: Sequence[Bytes]) -> None:
        """Send an array of bytes to each rank, and fill one from each; see `Ranks`."""
        started = time.perf_counter()
        self._sums.Alltoallv(_message(sent), _message(received))
        self.seconds += time.perf_counter() - started

    def complete(self, vector: npt.NDArray[Any], slices: Sequence[slice]) -> None:
        """Fill a vector, of which every rank has its own slice.

        Each rank sends its slice to each other. MPICH's ``Allgatherv`` moves the same bytes in
        pieces of 32 KB, one after another, and takes twice to ten times as long.
        """
        from mpi4py import MPI

        started = time.perf_counter()
        parts = [vector[part].view(np.uint8) for part in slices]
        others = [(self.rank + distance) % self.size for distance in range(1, self.size)]
        requests = [self._sums.Irecv([parts[rank], MPI.BYTE], rank) for rank in others]
        requests += [self._sums.Isend([parts[self.rank], MPI.BYTE], rank) for rank in others]
        MPI.Request.Waitall(requests)
        self.seconds += time.perf_counter() - started

    def abort(self, error: BaseException) -> None:
        """End the processes of all ranks at once, after an error that the others cannot learn."""
        say_at_once(f"{self.name(self.rank)} failed: {reason(error)}")
        self._agreements.Abort(1)

    def leave(self) -> None:
        """Tell the other ranks that the program of this one ends: they get it as a failure."""
        if self._complete and os.getpid() == self._process:  # not in a process that is forked
            self._gather_packets((None, LEFT))

    def _broadcast(self, value: Value) -> Value:
        started = time.perf_counter()
        received: Value = self._agreements.bcast(value if self.leads else None)
        self.seconds += time.perf_counter() - started
        return value if self.leads else received

    def _gather_packets(self, packet: tuple[Any, str | None]) -> list[tuple[Any, str | None]]:
        if not self._complete:
            raise RankError("a rank has ended, so the others can share no training any more")
        started = time.perf_counter()
        packets: list[tuple[Any, str | None]] = self._agreements.allgather(packet)
        self.seconds += time.perf_counter() - started
        self._complete = all(failure != LEFT for _, failure in packets)
        return packets


def ranks_of(distributed: Distributed | None) -> Ranks:
    """Return the ranks of a training: those of MPI, or this process alone for None.

    Raises
    ------
    MissingExtraError
        If mpi4py is not installed.
    ConfigurationError
        If there is no MPI library, or the launcher is of another one.
    """
    if distributed is None:
        return ONE
    with _STARTING:
        return _mpi_world()


@cache
def _mpi_world() -> Ranks:
    """Return all processes that mpiexec started; a process has them once."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise MissingExtraError("mpi4py", "mpi", "training on several machines") from error
    except RuntimeError as error:  # mpi4py is installed, and no MPI library
        raise ConfigurationError(
            f"mpi4py has no MPI library ({error}): load the MPI of the cluster, or install the "
            "package mpich"
        ) from error
    ranks = MpiRanks(MPI.COMM_WORLD)
    started = started_processes()
    if ranks.size == 1 and started > 1:
        library = MPI.Get_library_version().splitlines()[0].strip(WHITE)
        raise ConfigurationError(
            f"{started} processes were started, and each sees no other: the launcher is not of the "
            f"MPI that mpi4py uses ({library}). Start "
            "them with the mpiexec of that MPI, or install mpi4py for the other one: "
            "pip install --no-binary mpi4py mpi4py"
        )
    if ranks.size > 1:
        atexit.register(ranks.leave)  # MPI alone would have it wait for the others, and they for it
    return ranks


def started_processes() -> int:
    """Return the number of processes that the launcher has started: 1 without a launcher."""
    sizes = (os.environ.get(name, "") for name in OF_LAUNCHERS)
    return max((int(size) for size in sizes if size.isdecimal()), default=1)


def _message(views: Sequence[Bytes]) -> list[Any]:
    """Return consecutive views of one array, in words, as a message of mpi4py.

    Counts of words stay below the limit of 2^31 that MPI had before version 4, up to 16 GB.
    """
    from mpi4py import MPI

    sizes = [len(view) // WORD for view in views]
    offsets = [0, *np.cumsum(sizes).tolist()[:-1]]
    return [views[0].base, sizes, offsets, MPI.INT64_T]
