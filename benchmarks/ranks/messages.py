"""Messages between ranks, and the sums that are made with them."""

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import Spent, Timing
from benchmarks.ranks.report import SUM_LANES
from benchmarks.ranks.turns import WORLD, Call, repeated, together
from handloom.parallel.exchange import Exchange
from handloom.parallel.lane_sums import LaneSums
from handloom.parallel.mpi import MpiRanks
from handloom.parallel.ranks import Ranks

SIZES = tuple(1 << power for power in range(10, 27, 2))
FEW_SIZES = (1 << 10, 1 << 16, 1 << 20, 1 << 24)
"""Bytes that each rank sends to each other; fewer sizes where ranks share cores."""

CALL_BYTES, MOST_MESSAGES = 1 << 23, 100
"""A measured call sends about this many bytes, in at most this many messages."""

SUMS = (1_000, 118_000, 1_000_000, 20_000_000)
"""Weights of the sums."""

SUM_WEIGHTS = 4_000_000
"""A measured call adds about this many weights, in at most `MOST_MESSAGES` sums."""


def messages(rounds: int) -> dict[str, dict[str, Timing]]:
    """Time the two messages of a step, a message one way, and an agreement."""
    ranks = MpiRanks(WORLD)
    calls: dict[str, Call | None] = {}
    for size in SIZES if ranks.size == 2 else FEW_SIZES:
        number = max(1, min(MOST_MESSAGES, CALL_BYTES // size))
        for name, make in (("first", _first), ("second", _second), ("one way", _one_way)):
            calls[f"{name} {size}"] = partial(repeated, make(ranks, size), number)
    decision = partial(ranks.gather, (7, None, None))
    calls["agreement 0"] = partial(repeated, decision, MOST_MESSAGES)
    results: dict[str, dict[str, Timing]] = {}
    for name, timing in together(calls, rounds).items():
        kind, of_bytes = name.rsplit(" ", 1)
        results.setdefault(kind, {})[of_bytes] = timing
    return results


def _first(ranks: Ranks, size: int) -> Callable[[], object]:
    memory = [np.ones((ranks.size - 1) * size, np.uint8) for _ in range(2)]
    others = [int(rank != ranks.rank) for rank in range(ranks.size)]
    stops = (size * np.cumsum(others)).tolist()
    sent, received = (
        [part[stop - size * other : stop] for stop, other in zip(stops, others, strict=True)]
        for part in memory
    )
    return partial(ranks.exchange, sent, received)


def _second(ranks: Ranks, size: int) -> Callable[[], object]:
    slices = [slice(rank * size, (rank + 1) * size) for rank in range(ranks.size)]
    return partial(ranks.complete, np.ones(ranks.size * size, np.uint8), slices)


def _one_way(ranks: Ranks, size: int) -> Callable[[], object]:
    """Return a call that sends a message from rank 0 to rank 1, and at the next call back."""
    part, turn = np.ones(size, np.uint8), [0]

    def call() -> None:
        turn[0] ^= 1
        if ranks.rank == turn[0]:
            WORLD.Recv(part, 1 - ranks.rank)
        elif ranks.rank < 2:
            WORLD.Send(part, 1 - ranks.rank)

    return call


def sums(rounds: int) -> dict[str, Any]:
    """Time the sum of four lanes, and its messages."""
    ranks = MpiRanks(WORLD)
    results: dict[str, Any] = {}
    for size in SUMS:
        one = _Sum(ranks, size)
        timing = together({"sum": one}, rounds)["sum"]
        results[str(size)] = {"sum": timing, "messages": median(one.in_messages[1:])}
    return results


class _Sum:
    """Sums of lanes; a call returns the time of one."""

    def __init__(self, ranks: Ranks, size: int) -> None:
        random = np.random.default_rng(ranks.rank)
        gradients = [random.random(size, np.float32) for _ in range(SUM_LANES // ranks.size)]
        self._own = [LaneSums(gradient, 1.0, 3, {}) for gradient in gradients]
        self._ranks, self._exchange = ranks, Exchange(ranks, np.zeros(size, np.float32))
        self._number = max(1, min(MOST_MESSAGES, SUM_WEIGHTS // size))
        self.in_messages: list[float] = []

    def __call__(self) -> Spent:
        before = self._ranks.seconds
        taken = repeated(partial(self._exchange.add, self._own, SUM_LANES), self._number)
        self.in_messages.append((self._ranks.seconds - before) / self._number)
        return taken
