"""Ranks: the processes that share a training, on one machine or several.

All ranks run the same calls. Rank 0 decides whatever depends on the clock, signals, files or
callbacks; the others follow. `Ranks.gather` is how ranks agree: every rank calls it, and each gets
the values of all. A rank that fails calls `Ranks.fail` in its place, so that no rank waits for a
value that never comes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from handloom.errors import RankError
from handloom.secondary import reason

Value = TypeVar("Value")
Bytes = npt.NDArray[np.uint8]

WORD = 8
"""The bytes of a word, of which messages have a whole number."""


class Ranks(ABC):
    """The processes that share a training; base class.

    Attributes
    ----------
    rank : int
        The index of this process; rank 0 leads.
    size : int
        The number of processes.
    hosts : tuple of str
        The name of each rank's host.
    sharing_cores : int
        The number of ranks that may run on the cores of this one, itself included.
    seconds : float
        The time in collective calls so far, the wait for slower ranks included.
    failed : bool
        Whether a rank has failed in the block that runs together, which all ranks know.
    """

    rank: int = 0
    size: int = 1
    hosts: tuple[str, ...] = ("",)
    sharing_cores: int = 1
    seconds: float = 0.0
    failed: bool = False
    _depth: int = 0  # of blocks that run together
    _complete: bool = True  # no rank has left

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which decides, prints and writes."""
        return self.rank == 0

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all ranks, in rank order; every rank makes this call.

        Raises
        ------
        RankError
            If another rank has called `fail`, or has left.
        """
        packets = self._gather_packets((value, None))
        for rank, (_, failure) in enumerate(packets):
            if failure is not None:
                self.failed = True
                raise RankError(f"{self.name(rank)}: {failure}")
        return [value for value, _ in packets]

    def share(self, value: Value) -> Value:
        """Return the value of rank 0; every rank makes this call.

        Raises
        ------
        RankError
            As `gather`.
        """
        return self.gather(value if self.leads else None)[0]  # type: ignore[return-value]

    def send(self, value: Value) -> Value:
        """Return the value of rank 0, as `share` does; for large values.

        Raises
        ------
        RankError
            As `gather`.
        """
        self.gather(None)
        return value if self.size == 1 else self._broadcast(value)

    def fail(self, error: BaseException) -> None:
        """Tell all ranks in place of `gather` that this one has failed, unless one has before."""
        if not self.failed:
            self.failed = True
            self._gather_packets((None, " ".join(reason(error).split())))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run a block on every rank: an exception on one ends it on all.

        Blocks may be nested. The outermost one ends when all ranks have ended it, also after an
        exception: rank 0 may still write a last checkpoint, and a process that ends may end all.

        Raises
        ------
        RankError
            If the block has failed on another rank.
        """
        if self._depth == 0:
            self.failed = False
        self._depth += 1
        try:
            yield
            self.gather(None)
        except BaseException as error:
            self.fail(error)
            if self._depth == 1 and self._complete:
                self._gather_packets((None, None))
            raise
        finally:
            self._depth -= 1

    def name(self, rank: int) -> str:
        """Return the name of a rank, with that of its host."""
        return f"rank {rank} ({self.hosts[rank]})"

    @abstractmethod
    def exchange(self, sent: Sequence[Bytes], received: Sequence[Bytes]) -> None:
        """Send an array of words to each rank, and fill one from each; empty arrays are not sent.

        Parameters
        ----------
        sent, received : sequence of uint8 array
            Consecutive views of one array each, one view for each rank.
        """

    @abstractmethod
    def complete(self, vector: npt.NDArray[Any], slices: Sequence[slice]) -> None:
        """Fill a vector, of which every rank has its own slice.

        Parameters
        ----------
        vector : array, shape (size,)
        slices : sequence of slice
            That of each rank; together they are the whole vector.
        """

    @abstractmethod
    def abort(self, error: BaseException) -> None:
        """End the processes of all ranks at once, after an error that the others cannot learn."""

    @abstractmethod
    def _broadcast(self, value: Value) -> Value:
        """Return the value of rank 0."""

    @abstractmethod
    def _gather_packets(self, packet: tuple[Any, str | None]) -> list[tuple[Any, str | None]]:
        """Return the packets of all ranks: a value, or the text of a failure."""


class OneRank(Ranks):
    """A process that trains alone."""

    def exchange(self, sent: Sequence[Bytes], received: Sequence[Bytes]) -> None:
        """Do nothing: there is no other rank."""

    def complete(self, vector: npt.NDArray[Any], slices: Sequence[slice]) -> None:
        """Do nothing: the vector is complete."""

    def abort(self, error: BaseException) -> None:
        """Raise the error."""
        raise error

    def _broadcast(self, value: Value) -> Value:
        return value

    def _gather_packets(self, packet: tuple[Any, str | None]) -> list[tuple[Any, str | None]]:
        return [packet]


ONE = OneRank()
"""The ranks of a training in one process."""
