"""Steps that two ranks share, beside those of threads; and the parts of a step."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Spent, Timing, spent
from benchmarks.ranks.jobs import COSTS, RATE, TRAININGS, Described, Shared, images
from benchmarks.ranks.turns import WORLD, Call, tell, together
from handloom import Dataset
from handloom.data.batches import Batch
from handloom.parallel.mpi import MpiRanks
from handloom.parallel.ranks import ONE, WORD, Bytes, Ranks
from handloom.training.preparation import prepare
from handloom.training.runner import RunResult, StepRunner
from handloom.training.training_data import TrainingData


class MeetingRanks(MpiRanks):
    """Ranks that meet before each message, so that its time has no wait for the slower ones."""

    waiting = 0.0

    def exchange(self, sent: Sequence[Bytes], received: Sequence[Bytes]) -> None:
        """Meet, then exchange."""
        self._meet()
        super().exchange(sent, received)

    def complete(self, vector: npt.NDArray[Any], slices: Sequence[slice]) -> None:
        """Meet, then complete."""
        self._meet()
        super().complete(vector, slices)

    def _meet(self) -> None:
        started = time.perf_counter()
        self._sums.Barrier()
        self.waiting += time.perf_counter() - started


class Steps:
    """Some steps of a training; a call returns the time of one.

    Parameters
    ----------
    described : tuple of Sequential and TrainingOptions
    number : int
        The steps of a call.
    ranks : Ranks
    """

    def __init__(self, described: Described, number: int, ranks: Ranks = ONE) -> None:
        self._number, self._ranks = number, ranks
        self._prepared = prepare(*described, TrainingData(images()), ranks=ranks)
        self._inside: list[tuple[float, float]] = []

    @property
    def lanes(self) -> int:
        """The number of lanes of a step."""
        return self._prepared.objective.lanes(self._prepared.order(0).most_rows)

    def __call__(self) -> Spent:
        """Make the steps, after one in which threads start and ranks come together."""
        prepared, number = self._prepared, self._number
        order = prepared.order(0).part(0, number)
        run = partial(prepared.runner.run, prepared.arrays, order, [RATE] * number)
        with prepared.threads:
            prepared.runner.run(prepared.arrays, order.part(0, 1), [RATE])
            before = self._communication()
            taken = spent(lambda: self._check(run()))
        messages, waiting = (
            (after - first) / number
            for after, first in zip(self._communication(), before, strict=True)
        )
        self._inside.append((messages, waiting))
        return Spent(*(value / number for value in taken))

    def _check(self, result: RunResult) -> None:
        if len(result.measured) < self._number:
            raise RuntimeError(f"steps ended early: {result}")

    def _communication(self) -> tuple[float, float]:
        return self._ranks.seconds, getattr(self._ranks, "waiting", 0.0)

    def results(self, timing: Timing) -> dict[str, Any]:
        """Return the times, the digest of the weights, and the number of lanes."""
        weights = self._prepared.state.network.parameters.values
        messages, waiting = (median(part) for part in zip(*self._inside[1:], strict=True))
        return {
            **timing,
            "communication": messages,
            "waiting": waiting,
            "digest": blake2b(np.ascontiguousarray(weights).data, digest_size=8).hexdigest(),
            "lanes": self.lanes,
            "compiled": self._prepared.state.history.compiled_steps,
        }


class Parts:
    """The parts of a step of several lanes in one thread: a lane, and the update."""

    def __init__(self, described: Described, data: Dataset, number: int) -> None:
        network, options = described
        self._prepared = prepare(network, replace(options, threads=1), TrainingData(data))
        self._number = number
        self._medians: list[tuple[float, float]] = []
        self._lanes, self._statistics = 0, 0

    def __call__(self) -> Spent:
        """Make some steps; return the time of a lane."""
        prepared, runner = self._prepared, self._prepared.runner
        assert isinstance(runner, StepRunner)
        order, objective = prepared.order(0), prepared.objective
        times: list[tuple[float, float]] = []
        with prepared.threads, np.errstate(over="ignore", invalid="ignore"):
            for index in range(self._number):
                batch = Batch(prepared.arrays, order.batch(index), 0, index)
                started = time.perf_counter()
                lanes = objective.run_lanes(batch)
                ran = time.perf_counter()
                added = objective.add_lanes(batch, lanes)
                updating = time.perf_counter()
                runner.update(batch, added, RATE)
                times.append(((ran - started) / len(lanes), time.perf_counter() - updating))
        self._lanes = len(lanes)
        sizes = [each.nbytes for each in lanes[0].statistics.values()]
        self._statistics = sum(-(-size // WORD) * WORD for size in sizes)
        lane, update = (median(part) for part in zip(*times, strict=True))
        self._medians.append((lane, update))
        return Spent(lane, lane)

    def results(self) -> dict[str, Any]:
        """Return medians, and the sizes that messages depend on."""
        lane, update = (median(part) for part in zip(*self._medians[1:], strict=True))
        return {
            "rows": self._prepared.order(0).most_rows / self._lanes,
            "lane": lane,
            "update": update,
            "weights": len(self._prepared.state.network.parameters),
            "statistics": self._statistics,
        }


def trainings(rounds: int) -> dict[str, Any]:
    """Time steps of two ranks beside those of two threads and of one."""
    both, meeting = MpiRanks(WORLD), MeetingRanks(WORLD)
    results: dict[str, Any] = {}
    for name, shared in TRAININGS.items():
        for backend in shared.steps:
            tell(f"{name}, {backend}")
            measured = _beside(shared, backend, both, meeting, rounds)
            results.setdefault(name, {})[backend] = measured
    return results


def _beside(
    shared: Shared, backend: str, both: Ranks, meeting: Ranks, rounds: int
) -> dict[str, Any]:
    """Time the contestants of a training; those without other ranks are rank 0's."""
    make, number, split = shared.make, shared.steps[backend], shared.split
    steps = {
        "2 ranks": Steps(make(backend, threads=1, **split), number, both),
        "2 ranks, meeting": Steps(make(backend, threads=1, **split), number, meeting),
    }
    parts: Parts | None = None
    if both.leads:
        steps["1 thread"] = Steps(make(backend, threads=1, **split), number)
        steps["2 threads"] = Steps(make(backend, threads=2, **split), number)
        if shared.has_default:
            steps["2 threads, default"] = Steps(make(backend, threads=2), number)
        if steps["2 ranks"].lanes > 1:
            parts = Parts(make(backend, **split), images(), number)
    own: dict[str, Call] = {**steps, "parts": parts} if parts else {**steps}
    names: list[str] = WORLD.bcast(list(own))
    timed = together({name: own.get(name) for name in names}, rounds)
    results = {name: each.results(timed[name]) for name, each in steps.items()}
    return {**results, "parts": parts.results()} if parts else results


def costs(rounds: int) -> dict[str, Any]:
    """Time a lane of several numbers of rows, and the update."""
    results: dict[str, Any] = {}
    for name, cost in COSTS.items():
        tell(name)
        for rows in cost.rows:
            parts = Parts(cost.described(rows), cost.data(), cost.steps)
            together({"parts": parts}, rounds)
            results.setdefault(name, []).append(parts.results())
    return results
