"""Ranks that exchange lanes get the sum of all lanes in lane order, to the bit, or an error."""

from threading import BrokenBarrierError
from typing import Any
from unittest.mock import Mock

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.ranks import Meeting, ThreadRanks, on_ranks, same_bits

from handloom.errors import RankError
from handloom.parallel.exchange import Exchange
from handloom.parallel.lane_sums import BatchSums, LaneSums, add_lanes
from handloom.parallel.partition import deal_lanes

Step = tuple[npt.NDArray[Any], BatchSums]


def lanes_of(count: int, size: int, dtype: npt.DTypeLike, *, step: int = 0) -> list[LaneSums]:
    """Return lanes whose sum depends on the order of its terms."""
    generator = np.random.default_rng([count, size, step])
    lanes = []
    for lane in range(count):
        scale = 10.0 ** generator.integers(-4, 5, size)
        statistics = {
            "0.batch_norm.mean": generator.standard_normal((3,)).astype(dtype),
            "0.batch_norm.rows": np.array(lane + 1, np.int64),
            "1.residual.block.0.mean": generator.standard_normal((2, 1, 3)).astype(np.float64),
            "2.own.few": generator.integers(0, 9, 5).astype(np.uint8),
            "2.own.none": np.empty((0, 4), np.float32),
        }
        loss, correct = float(generator.standard_normal()), int(generator.integers(9))
        gradient = (scale * generator.standard_normal(size)).astype(dtype)
        lanes.append(LaneSums(gradient, loss, correct, statistics))
    return lanes


def own(lanes: list[LaneSums], ranks: ThreadRanks) -> list[LaneSums]:
    return lanes[deal_lanes(len(lanes), ranks.size)[ranks.rank]]


def add_all(ranks: ThreadRanks, counts: list[int], size: int, dtype: npt.DTypeLike) -> list[Step]:
    gradient: npt.NDArray[Any] = np.full(size, np.nan, dtype)
    exchange, steps = Exchange(ranks, gradient), list[Step]()
    for step, count in enumerate(counts):
        lanes = lanes_of(count, size, dtype, step=step)
        sums = exchange.add(own(lanes, ranks), count)
        steps.append((gradient.copy(), sums))
    return steps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 3, 1001])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5, 6])
def test_the_sum_is_that_of_all_lanes_in_their_order(ranks: int, size: int, dtype: type) -> None:
    counts = [4, 2, 9, 3, 4, 8, 5, 6, 7]  # the first step is not the one with the most lanes
    results = on_ranks(ranks, lambda each: add_all(each, counts, size, dtype))
    for steps in results:
        assert isinstance(steps, list), steps
        for step, (count, (gradient, sums)) in enumerate(zip(counts, steps, strict=True)):
            expected: npt.NDArray[Any] = np.empty(size, dtype)
            whole = add_lanes(lanes_of(count, size, dtype, step=step), expected)
            assert same_bits(gradient, expected)
            assert (sums.data_loss, sums.correct) == (whole.data_loss, whole.correct)
            for received, sent in zip(sums.statistics, whole.statistics, strict=True):
                assert list(received) == list(sent)
                for name in sent:
                    assert received[name].shape == sent[name].shape
                    assert same_bits(np.atleast_1d(received[name]), np.atleast_1d(sent[name]))


def test_lanes_without_statistics_and_values_that_are_not_finite() -> None:
    def lanes() -> list[LaneSums]:
        values = [np.array([np.nan, np.inf, -0.0, 1e-45], np.float32) for _ in range(3)]
        return [LaneSums(each, float("nan"), 0, {}) for each in values]

    def add(ranks: ThreadRanks) -> Step:
        gradient = np.zeros(4, np.float32)
        return gradient, Exchange(ranks, gradient).add(own(lanes(), ranks), 3)

    expected: npt.NDArray[Any] = np.zeros(4, np.float32)
    add_lanes(lanes(), expected)
    for result in on_ranks(2, add):
        assert not isinstance(result, BaseException), result
        assert same_bits(result[0], expected)
        assert np.isnan(result[1].data_loss)
        assert result[1].statistics == [{}, {}, {}]


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_a_step_is_two_messages(ranks: int) -> None:
    meeting = Meeting(ranks)
    on_ranks(ranks, lambda each: add_all(each, [4, 4, 3], 1001, np.float32), meeting)
    first, *steps = meeting.calls
    assert first == "gather"  # of the names of statistics, once
    assert steps == ["exchange", "complete"] * 3


@pytest.mark.parametrize("failing", [{0}, {1}, {2}, {0, 2}, {0, 1, 2}])
@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("lanes", [2, 4])  # of 2 lanes rank 2 has none
def test_a_rank_that_fails_in_its_lanes_ends_the_step_on_all(
    failing: set[int], at: int, lanes: int
) -> None:
    def train(ranks: ThreadRanks) -> int:
        gradient = np.zeros(100, np.float32)
        exchange = Exchange(ranks, gradient)
        for step in range(4):
            try:
                if step == at and ranks.rank in failing:
                    raise ValueError(f"mine, of {ranks.rank}")
                rows = own(lanes_of(lanes, 100, np.float32), ranks)
            except ValueError as error:
                exchange.fail(error, lanes)
                raise
            exchange.add(rows, lanes)
        return step

    for rank, result in enumerate(on_ranks(3, train)):
        if rank in failing:
            assert isinstance(result, ValueError)
        else:
            assert isinstance(result, RankError)
            assert f"rank {min(failing)} (here): ValueError: mine" in str(result)


def test_a_lane_of_another_size_is_an_error_on_all_ranks() -> None:
    def train(ranks: ThreadRanks) -> Step:
        lanes = lanes_of(4, 100, np.float32)
        if ranks.rank == 1:  # a gradient of another size
            lanes = [LaneSums(np.zeros(7), 0.0, 0, each.statistics) for each in lanes]
        gradient = np.zeros(100, np.float32)
        return gradient, Exchange(ranks, gradient).add(own(lanes, ranks), 4)

    results = on_ranks(3, train)
    assert all(isinstance(result, Exception) for result in results)
    assert isinstance(results[1], ValueError)


def test_an_error_in_the_middle_of_the_messages_ends_all_ranks() -> None:
    def train(ranks: ThreadRanks) -> BatchSums:
        if ranks.rank == 1:
            ranks.complete = Mock(side_effect=MemoryError("mine"))  # type: ignore[method-assign]
        lanes = own(lanes_of(4, 100, np.float32), ranks)
        return Exchange(ranks, np.zeros(100, np.float32)).add(lanes, 4)

    results = on_ranks(3, train)
    assert isinstance(results.pop(1), MemoryError)
    assert all(isinstance(each, BrokenBarrierError) for each in results)
