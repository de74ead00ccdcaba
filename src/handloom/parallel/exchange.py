"""The sum of lanes over ranks, in lane order: two messages a step, whatever the number of layers.

Every rank owns a slice of the gradient. In the first message each rank sends to each other the part
of its lanes' gradients that lies in the other's slice. The owner adds the lanes there, in lane
order, and in the second message all ranks get the slices of all. No sum depends on the number of
ranks: a reduction of MPI would add the lanes of a rank first, or in another order.

The first message also has the loss, the correct predictions and the statistics of the sender's
lanes, which every rank adds by itself, and whether the sender has failed.
"""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from handloom.errors import RankError
from handloom.operations import Array
from handloom.parallel.lane_sums import BatchSums, LaneSums
from handloom.parallel.partition import deal_lanes, rank_slices
from handloom.parallel.ranks import WORD, Bytes, Ranks

Layout = tuple[tuple[str, tuple[int, ...], str], ...]
"""The name, shape and dtype of each statistic of a lane."""


class Exchange:
    """Adds the sums of lanes over ranks.

    Parameters
    ----------
    ranks : Ranks
    gradient : array, shape (size,)
        Takes the sum of the lanes' gradients.
    """

    def __init__(self, ranks: Ranks, gradient: Array) -> None:
        self._ranks, self._gradient = ranks, gradient
        self._slices = rank_slices(len(gradient), ranks.size)
        self._layout: Layout | None = None
        self._messages: dict[int, _Messages] = {}

    def add(self, own: Sequence[LaneSums], lanes: int) -> BatchSums:
        """Return the sum of the lanes of all ranks, and write that of their gradients.

        Parameters
        ----------
        own : sequence of LaneSums
            The lanes of this rank, as `deal_lanes` deals them.
        lanes : int
            The number of lanes of the batch, at least 2.

        Raises
        ------
        RankError
            If another rank has failed in this step.
        """
        try:
            messages = self._messages_for(own, lanes)
            messages.pack(own)
        except BaseException as error:
            self.fail(error, lanes)
            raise
        try:
            return self._add(messages, own)
        except RankError:
            raise
        except BaseException as error:  # in the middle of the messages
            self._ranks.abort(error)
            raise

    def _add(self, messages: "_Messages", own: Sequence[LaneSums]) -> BatchSums:
        self._ranks.exchange(messages.sent, messages.received)
        if messages.failed():
            self._ranks.gather(None)  # raises the error of the rank that failed
        mine = self._gradient[self._slices[self._ranks.rank]]
        first, second, *others = messages.parts(own)
        np.add(first, second, out=mine)
        for other in others:
            mine += other
        self._ranks.complete(self._gradient, self._slices)
        return messages.sums(own)

    def fail(self, error: BaseException, lanes: int) -> None:
        """Tell the other ranks, which call `add`, that this one has failed, if they do not know.

        Parameters
        ----------
        error : BaseException
        lanes : int
            The number of lanes of the batch, as they pass it to `add`.
        """
        if self._ranks.failed:
            return
        if self._layout is not None:
            messages = self._messages_for((), lanes)
            messages.pack_failure()
            self._ranks.exchange(messages.sent, messages.received)
        self._ranks.fail(error)

    def _messages_for(self, own: Sequence[LaneSums], lanes: int) -> "_Messages":
        if self._layout is None:  # layers tell their statistics in the first pass
            layouts = self._ranks.gather(_layout_of(own[0]) if own else None)
            self._layout = next(each for each in layouts if each is not None)
        if lanes not in self._messages:
            dtype = self._gradient.dtype
            self._messages[lanes] = _Messages(self._ranks, self._slices, dtype, self._layout, lanes)
        return self._messages[lanes]


class _Messages:
    """The memory of the messages of a step, for a number of lanes.

    A message has a word that is 1 after a failure, the receiver's slice of each lane of the sender,
    and the figures and statistics of these lanes.
    """

    def __init__(
        self,
        ranks: Ranks,
        slices: Sequence[slice],
        dtype: npt.DTypeLike,
        layout: Layout,
        lanes: int,
    ) -> None:
        self._rank, self._slices, self._dtype = ranks.rank, slices, np.dtype(dtype)
        self._layout, self._owned = layout, deal_lanes(lanes, ranks.size)
        count = [part.stop - part.start for part in self._owned]
        sizes = [part.stop - part.start for part in slices]
        own, mine = count[ranks.rank], sizes[ranks.rank]
        others = [rank != ranks.rank for rank in range(ranks.size)]
        self.sent = _views([o * self._bytes(own, n) for o, n in zip(others, sizes, strict=True)])
        self.received = _views(
            [o * self._bytes(n, mine) for o, n in zip(others, count, strict=True)]
        )

    def pack(self, own: Sequence[LaneSums]) -> None:
        """Write the messages of this rank's lanes."""
        tail = self._tail(own)
        for part, message in zip(self._slices, self.sent, strict=True):
            if not message.size:
                continue
            message[:WORD] = 0
            into = self._gradients(message, len(own), part.stop - part.start)
            for row, lane in zip(into, own, strict=True):
                np.copyto(row, lane.gradient[part])
            message[len(message) - len(tail) :] = tail

    def pack_failure(self) -> None:
        """Write the messages of a failure."""
        for message in self.sent:
            message[:WORD] = 1

    def failed(self) -> bool:
        """Return whether a rank has failed."""
        return any(message[0] for message in self.received if message.size)

    def parts(self, own: Sequence[LaneSums]) -> list[Array]:
        """Return this rank's slice of all lanes, in lane order."""
        mine = self._slices[self._rank]
        parts: list[Array] = []
        for rank, (lanes, message) in enumerate(zip(self._owned, self.received, strict=True)):
            if rank == self._rank:
                parts += [lane.gradient[mine] for lane in own]
            else:
                count = lanes.stop - lanes.start
                parts += [*self._gradients(message, count, mine.stop - mine.start)]
        return parts

    def sums(self, own: Sequence[LaneSums]) -> BatchSums:
        """Return the sums of the figures of all lanes, and their statistics."""
        figures: list[tuple[float, int]] = []
        statistics: list[Mapping[str, Array]] = []
        for rank, (lanes, message) in enumerate(zip(self._owned, self.received, strict=True)):
            if rank == self._rank:
                figures += [(lane.data_loss, lane.correct) for lane in own]
                statistics += [lane.statistics for lane in own]
                continue
            size = self._tail_bytes()
            start = len(message) - (lanes.stop - lanes.start) * size
            for begin in range(start, len(message), size):
                tail = message[begin : begin + size]
                loss, correct = tail[: 2 * WORD].view(np.float64).tolist()
                figures.append((loss, int(correct)))
                statistics.append(self._statistics(tail[2 * WORD :]))
        return BatchSums.of(figures, statistics)

    def _bytes(self, lanes: int, size: int) -> int:
        """Return the bytes of a message with slices of ``size`` entries of each lane."""
        return WORD + lanes * (self._slice_bytes(size) + self._tail_bytes())

    def _slice_bytes(self, size: int) -> int:
        return _aligned(size * self._dtype.itemsize)

    def _tail_bytes(self) -> int:
        return 2 * WORD + sum(
            _aligned(prod(shape) * np.dtype(dtype).itemsize) for _, shape, dtype in self._layout
        )

    def _gradients(self, message: Bytes, lanes: int, size: int) -> Array:
        """Return the slices of a message as a view, shape (lanes, size)."""
        stride = self._slice_bytes(size)
        rows = message[WORD : WORD + lanes * stride].reshape(lanes, stride)
        return rows[:, : size * self._dtype.itemsize].view(self._dtype)

    def _tail(self, own: Sequence[LaneSums]) -> Bytes:
        """Return figures and statistics of lanes as bytes."""
        parts: list[Bytes] = []
        for lane in own:
            parts.append(np.array([lane.data_loss, lane.correct], np.float64).view(np.uint8))
            for name, shape, dtype in self._layout:
                values = np.ascontiguousarray(lane.statistics[name], dtype).reshape(shape)
                padded = np.zeros(_aligned(values.nbytes), np.uint8)
                padded[: values.nbytes] = values.reshape(-1).view(np.uint8)
                parts.append(padded)
        return np.concatenate(parts) if parts else np.empty(0, np.uint8)

    def _statistics(self, tail: Bytes) -> dict[str, Array]:
        statistics, begin = {}, 0
        for name, shape, dtype in self._layout:
            nbytes = prod(shape) * np.dtype(dtype).itemsize
            statistics[name] = tail[begin : begin + nbytes].view(dtype).reshape(shape).copy()
            begin += _aligned(nbytes)
        return statistics


def _layout_of(lane: LaneSums) -> Layout:
    return tuple((name, each.shape, each.dtype.str) for name, each in lane.statistics.items())


def _views(sizes: Sequence[int]) -> list[Bytes]:
    """Return consecutive views of new memory, each of whole words."""
    memory = np.zeros(sum(sizes), np.uint8)
    stops = np.cumsum(sizes).tolist()
    return [memory[stop - size : stop] for size, stop in zip(sizes, stops, strict=True)]


def _aligned(nbytes: int) -> int:
    return -(-nbytes // WORD) * WORD
