"""The benchmark of ranks: the model counts the bytes that are sent, and its page is up to date."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("matplotlib")

from benchmarks.ranks.__main__ import measure
from benchmarks.ranks.model import (
    Host,
    Measured,
    Network,
    Traffic,
    Training,
    ring,
    step,
    traffic,
)
from benchmarks.ranks.report import draw, machine_line, tables, trainings_table, with_tables

from handloom.parallel.exchange import Exchange
from handloom.parallel.lane_sums import LaneSums
from handloom.parallel.partition import deal_lanes
from handloom.parallel.ranks import Bytes, Ranks

DOCS = Path(__file__).parent.parent / "docs"
HOST = Host(sums=Measured([1.0, 1e6], [1e-3, 1e3]), agreement=0.0)
NETWORK = Network("slow", latency=1.0, bandwidth=1e3)
TRAINING = Training(weights=1_000, batch=64, lane=Measured([8.0, 16.0], [1.0, 2.0]), update=0.25)


class CountingRanks(Ranks):
    """One of several ranks; the others send zeros."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.first = self.second = 0

    def exchange(self, sent: Sequence[Bytes], received: Sequence[Bytes]) -> None:
        self.first = max(sum(map(len, sent)), sum(map(len, received)))

    def complete(self, vector: npt.NDArray[Any], slices: Sequence[slice]) -> None:
        own = vector[slices[self.rank]].nbytes
        self.second = max((self.size - 1) * own, vector.nbytes - own)

    def abort(self, error: BaseException) -> None:
        raise error

    def _broadcast(self, value: Any) -> Any:
        return value

    def _gather_packets(self, packet: tuple[Any, str | None]) -> list[tuple[Any, str | None]]:
        return [packet if packet[0] else (_layout(), None)] * self.size


def _layout() -> tuple[tuple[str, tuple[int, ...], str], ...]:
    return (("mean", (3,), "<f4"),)


def sent(weights: int, lanes: int, ranks: int) -> Traffic:
    """Return the most bytes that a rank sends or receives in the messages of a step."""
    counting = [CountingRanks(rank, ranks) for rank in range(ranks)]
    lane = LaneSums(np.zeros(weights, np.float32), 0.0, 0, {"mean": np.zeros(3, np.float32)})
    for each, owned in zip(counting, deal_lanes(lanes, ranks), strict=True):
        own = [lane] * (owned.stop - owned.start)
        Exchange(each, np.zeros(weights, np.float32)).add(own, lanes)
    return Traffic(max(each.first for each in counting), max(each.second for each in counting))


@pytest.mark.parametrize(("lanes", "ranks"), [(2, 2), (4, 2), (4, 3), (4, 6), (5, 4), (64, 7)])
@pytest.mark.parametrize("weights", [7, 1_000, 10_001])
def test_the_model_counts_the_bytes_that_ranks_send(weights: int, lanes: int, ranks: int) -> None:
    assert traffic(weights, lanes, ranks, statistics=16) == sent(weights, lanes, ranks)


def test_a_lane_for_each_rank_sends_the_bytes_of_a_ring() -> None:
    weights = 1_000_000
    assert sum(traffic(weights, 8, 8)) == pytest.approx(ring(weights, 8), rel=1e-3)
    assert sum(traffic(weights, 64, 2)) == pytest.approx(16.5 * ring(weights, 2), rel=1e-3)
    assert traffic(weights, 1, 8) == Traffic(0, 0)


def test_a_step_is_predicted_as_by_hand() -> None:
    links = NETWORK, NETWORK
    alone = step(TRAINING, HOST, links, ranks=1, lanes=4)
    assert alone.seconds == pytest.approx(4 * 2.0 + 0.25 + 3 * 3 * 4)
    shared = step(TRAINING, HOST, links, ranks=2, lanes=4)
    assert shared.lanes == 2 * 2.0
    assert shared.sum == pytest.approx(2 * 2 * 2 + 3 * 3 * 2)
    assert shared.first == 1.0 + (8 + 2 * (2_000 + 16)) / 1e3
    assert shared.second == 1.0 + 2_000 / 1e3
    busy = sum(shared[:5])
    assert shared.agreement == pytest.approx(2.0 * busy / 0.1)
    assert step(TRAINING, HOST, links, ranks=2, lanes=4, threads=2).lanes == 2.0
    assert step(TRAINING, HOST, links, ranks=8, lanes=8).lanes == 1.0


def test_a_single_lane_sends_nothing_and_takes_the_same_time_on_any_number_of_ranks() -> None:
    predicted = {
        step(TRAINING, HOST, (NETWORK, NETWORK), ranks=ranks, lanes=1) for ranks in (1, 2, 64)
    }
    (one,) = predicted
    assert one.seconds == 4 * 2.0 + 0.25
    assert one.communication == 0.0


def test_measured_times_are_interpolated() -> None:
    link = Measured([1e3, 1e5], [1e-5, 1e-3])
    sizes = (1e2, 1e4, 2e5)  # too small, between, and beyond
    assert [link.seconds(size) for size in sizes] == pytest.approx([1e-5, 1e-4, 2e-3])


@pytest.fixture
def results() -> dict[str, Any]:
    values: dict[str, Any] = json.loads((DOCS / "performance/ranks.json").read_text())
    return values


@pytest.mark.long
@pytest.mark.parametrize("part", ["messages", "sums"])
def test_two_ranks_measure_their_messages(part: str) -> None:
    pytest.importorskip("mpi4py")
    measured = measure(part, ranks=2, rounds=1)
    (timing,) = measured["agreement"].values() if part == "messages" else [measured["1000"]["sum"]]
    assert 0 < timing["median"] < 1


def test_the_page_has_the_tables_of_its_results(results: dict[str, Any]) -> None:
    page = (DOCS / "scaling.md").read_text()
    assert with_tables(page, tables(results)) == page
    with pytest.raises(ValueError, match="no marks"):
        with_tables("a page", {"model": "| a table |"})


def test_ranks_that_give_other_bits_are_refused(results: dict[str, Any]) -> None:
    results["trainings"]["2"]["cnn"]["fused"]["2 ranks"]["digest"] = "another"
    with pytest.raises(RuntimeError, match="cnn, fused: ranks and threads do not give the same"):
        trainings_table(results)


def test_other_work_on_the_machine_is_told(results: dict[str, Any]) -> None:
    results["trainings"]["2"]["cnn"]["fused"]["1 thread"]["cores"] = 0.5
    assert "Other work ran" in machine_line(results)
    for backends in results["trainings"]["2"].values():
        for runs in backends.values():
            runs["1 thread"]["cores"] = 1.0
    assert "Other work ran" not in machine_line(results)


def test_the_predictions_are_drawn(results: dict[str, Any], tmp_path: Path) -> None:
    draw(results, tmp_path)
    assert (tmp_path / "ranks.png").exists()
