"""A model of the time of a step that ranks share, from the operations of the step.

    seconds = waves * lane + update + sum + first + second + agreement

``lane`` and ``update`` are measured, in one thread. A rank has at most ``ceil(lanes / ranks)``
lanes, which its threads run in ``waves``. ``sum`` is measured too, by the bytes that are read and
written to pack and to add gradients. A message takes a latency for each other rank, and the bytes
of the busiest rank over the bandwidth of its link.
"""

from math import ceil, log2
from typing import NamedTuple, Protocol

import numpy as np

from handloom.parallel.partition import deal_lanes, rank_slices
from handloom.parallel.ranks import WORD

FLOAT = 4
"""Bytes of a gradient's entry in float32, and of a word; see `handloom.parallel.exchange`."""

BETWEEN_AGREEMENTS = 0.1
"""Seconds between two decisions of rank 0 that all ranks get."""


class Traffic(NamedTuple):
    """The bytes of the two messages of a step, of the rank that sends or receives most."""

    first: int
    second: int


class Link(Protocol):
    """How long a message takes, if each rank sends or receives at most a number of bytes."""

    def seconds(self, nbytes: float, ranks: int) -> float:
        """Return the time of a message of all ranks to all."""
        ...


class Network(NamedTuple):
    """A network between hosts: every pair of ranks can talk at once, at the bandwidth of a port."""

    name: str
    latency: float
    bandwidth: float

    def seconds(self, nbytes: float, ranks: int) -> float:
        """Return the time of a message of all ranks to all, one latency for each other rank."""
        return (ranks - 1) * self.latency + nbytes / self.bandwidth


class Measured(NamedTuple):
    """Seconds that were measured for some sizes: bytes, or the rows of a lane."""

    sizes: list[float]
    times: list[float]

    def seconds(self, size: float, ranks: int = 2) -> float:
        """Return the time of a size, interpolated on logarithmic scales.

        Below the smallest size it is constant, beyond the largest in proportion.
        """
        beyond = max(1.0, size / self.sizes[-1])
        logarithm = np.interp(np.log(size), np.log(self.sizes), np.log(self.times))
        return beyond * float(np.exp(logarithm))


class Host(NamedTuple):
    """The work of a host beside the arithmetic of the network.

    Attributes
    ----------
    sums : Measured
        The time of a sum without its messages, by the bytes that it reads and writes.
    agreement : float
        The seconds of an agreement of two ranks on a host.
    """

    sums: Measured
    agreement: float


class Training(NamedTuple):
    """A training whose steps are shared.

    Attributes
    ----------
    weights : int
    batch : int
    lane : Measured
        In one thread, by rows.
    update : float
        The seconds of norm, update and running statistics, which every rank computes.
    statistics : int
        The bytes of a lane's statistics.
    """

    weights: int
    batch: int
    lane: Measured
    update: float
    statistics: int = 0


class Step(NamedTuple):
    """The predicted seconds of the parts of a step."""

    lanes: float
    update: float
    sum: float
    first: float
    second: float
    agreement: float

    @property
    def seconds(self) -> float:
        """The time of the step."""
        return sum(self)

    @property
    def communication(self) -> float:
        """The share of the time that messages take."""
        return (self.first + self.second + self.agreement) / self.seconds


def traffic(weights: int, lanes: int, ranks: int, statistics: int = 0) -> Traffic:
    """Return the bytes of the messages of a step, as `handloom.parallel.exchange` makes them."""
    if ranks == 1 or lanes == 1:
        return Traffic(0, 0)
    counts = [part.stop - part.start for part in deal_lanes(lanes, ranks)]
    sizes = [part.stop - part.start for part in rank_slices(weights, ranks)]
    tail = 2 * WORD + statistics
    most = 0
    for rank in range(ranks):
        others = [other for other in range(ranks) if other != rank]
        sent = sum(WORD + counts[rank] * (_slice(sizes[other]) + tail) for other in others)
        received = sum(WORD + counts[other] * (_slice(sizes[rank]) + tail) for other in others)
        most = max(most, sent, received)
    second = max(max((ranks - 1) * size, weights - size) for size in sizes)
    return Traffic(most, FLOAT * second)


def moved(weights: int, lanes: int, ranks: int) -> float:
    """Return the bytes that the busiest rank reads and writes to pack and to add gradients."""
    packed = 2 * ceil(lanes / ranks) * (ranks - 1) / ranks
    added = 3 * (lanes - 1) / ranks
    return FLOAT * weights * (packed + added)


def ring(weights: int, ranks: int) -> float:
    """Return the bytes that each rank sends in a ring allreduce, which adds its own lanes first."""
    return 2 * FLOAT * weights * (ranks - 1) / ranks


def step(
    training: Training,
    host: Host,
    links: tuple[Link, Link],
    *,
    ranks: int,
    lanes: int,
    threads: int = 1,
) -> Step:
    """Predict a step.

    Parameters
    ----------
    training : Training
    host : Host
    links : tuple of Link
        That of the first and that of the second message.
    ranks, lanes, threads : int
        ``threads`` are those of each rank.
    """
    waves = ceil(ceil(lanes / ranks) / threads)
    computing, update = waves * training.lane.seconds(training.batch / lanes), training.update
    if lanes == 1:
        return Step(computing, update, 0.0, 0.0, 0.0, 0.0)
    adding = host.sums.seconds(moved(training.weights, lanes, ranks))
    if ranks == 1:
        return Step(computing, update, adding, 0.0, 0.0, 0.0)
    sent = traffic(training.weights, lanes, ranks, training.statistics)
    first, second = (link.seconds(nbytes, ranks) for link, nbytes in zip(links, sent, strict=True))
    agreement = host.agreement
    if isinstance(links[0], Network):  # the sizes of the values, then the values
        agreement += 2 * ceil(log2(ranks)) * links[0].latency
    share = (computing + update + adding + first + second) / BETWEEN_AGREEMENTS
    return Step(computing, update, adding, first, second, agreement * share)


def _slice(size: int) -> int:
    return -(-size * FLOAT // WORD) * WORD
