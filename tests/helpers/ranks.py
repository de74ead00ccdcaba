"""Ranks as threads of one process, for tests of messages between ranks."""

import pickle
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from handloom.parallel.ranks import ONE, Bytes, Ranks
from handloom.training import trainer

Result = TypeVar("Result")

_LOCAL = threading.local()

MOST_SECONDS = 10.0
"""The time after which a rank that waits for another counts as hung."""


class Meeting:
    """The place where the ranks of a group exchange values.

    Attributes
    ----------
    calls : list of str
        The names of the collective calls so far.
    """

    def __init__(self, size: int) -> None:
        self.size, self.calls = size, list[str]()
        self._slots: list[tuple[str, Any]] = [("", None)] * size
        self._barrier = threading.Barrier(size)

    def exchange(
        self, rank: int, call: str, value: object, use: Callable[[list[Any]], None]
    ) -> None:
        """Bring a value, and use those of all ranks; every rank makes the same call."""
        self._slots[rank] = call, value
        if self._barrier.wait(MOST_SECONDS) == 0:
            self.calls.append(call)
        calls = {each for each, _ in self._slots}
        assert len(calls) == 1, f"ranks make different calls: {calls}"
        use([each for _, each in self._slots])
        self._barrier.wait(MOST_SECONDS)

    def end(self) -> None:
        """End the wait of all ranks with an error."""
        self._barrier.abort()


class ThreadRanks(Ranks):
    """A rank that is a thread; values are pickled, as between processes."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        self._meeting, self.rank, self.size = meeting, rank, meeting.size
        self.hosts = ("here",) * meeting.size

    def exchange(self, sent: Sequence[Bytes], received: Sequence[Bytes]) -> None:
        """Send an array of bytes to each rank, and fill one from each."""

        def receive(all_sent: list[Sequence[Bytes]]) -> None:
            for mine, messages in zip(received, all_sent, strict=True):
                assert mine.shape == messages[self.rank].shape, "messages have another size"
                mine[:] = messages[self.rank]

        self._meeting.exchange(self.rank, "exchange", sent, receive)

    def complete(self, vector: npt.NDArray[Any], slices: Sequence[slice]) -> None:
        """Fill a vector, of which every rank has its own slice."""

        def receive(vectors: list[npt.NDArray[Any]]) -> None:
            for rank, (part, other) in enumerate(zip(slices, vectors, strict=True)):
                if rank != self.rank:
                    vector[part] = other[part]

        self._meeting.exchange(self.rank, "complete", vector, receive)

    def abort(self, error: BaseException) -> None:
        """End all ranks with an error."""
        self._meeting.end()
        raise error

    def _broadcast(self, value: Any) -> Any:
        received: list[Any] = []

        def receive(values: list[bytes]) -> None:
            received.append(pickle.loads(values[0]))  # noqa: S301 - our own

        self._meeting.exchange(self.rank, "broadcast", pickle.dumps(value), receive)
        return received[0]

    def _gather_packets(self, packet: tuple[Any, str | None]) -> list[tuple[Any, str | None]]:
        received: list[tuple[Any, str | None]] = []

        def receive(packets: list[bytes]) -> None:
            received.extend(pickle.loads(each) for each in packets)  # noqa: S301 - our own

        self._meeting.exchange(self.rank, "gather", pickle.dumps(packet), receive)
        return received


def on_ranks(
    size: int, run: Callable[[ThreadRanks], Result], meeting: Meeting | None = None
) -> list[Result | BaseException]:
    """Return the result of every rank, or its error.

    Trainers with ``distributed="mpi"`` take these ranks, not those of MPI.
    """
    meeting = meeting or Meeting(size)
    results: list[Result | BaseException] = [RuntimeError("hung")] * size

    def call(rank: int) -> None:
        try:
            _LOCAL.ranks = ThreadRanks(meeting, rank)
            results[rank] = run(_LOCAL.ranks)
        except BaseException as error:
            results[rank] = error

    threads = [
        threading.Thread(target=call, args=(rank,), name=f"rank-{rank}", daemon=True)
        for rank in range(size)
    ]
    with patch.object(trainer, "ranks_of", lambda name: ONE if name is None else _LOCAL.ranks):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(3 * MOST_SECONDS)
    return results


def same_bits(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Return whether two arrays have the same dtype and bytes."""
    return one.dtype == other.dtype and np.array_equal(one.view(np.uint8), other.view(np.uint8))
