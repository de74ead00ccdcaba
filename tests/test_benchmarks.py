"""The benchmark: contestants reach the same loss, times become goals, and recipes reuse runs."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from benchmarks.anchors import anchors, draw
from benchmarks.contestants import missing
from benchmarks.goals import goals, table
from benchmarks.jobs import FULL_BATCH, MINI_BATCH, Job
from benchmarks.learning import CHECKS, losses
from benchmarks.measure import Spent, in_turn as timings
from benchmarks.recipes import Curve, Run, described, in_turn, runs_of
from benchmarks.scale import compared, constants_table, draw as draw_scale, sizes_table
from benchmarks.step_model import Counts, counted, counts, grid, held_out

from handloom import Dataset, silhouettes


def curve(seed: int) -> Curve:
    return [(1.0, 0.5), (2.0 + seed, 0.5 + seed / 10)]


def test_everyone_has_a_seed_before_anyone_has_the_next() -> None:
    ran: list[tuple[str, int]] = []

    def run(name: str, seed: int) -> Curve:
        ran.append((name, seed))
        return curve(seed)

    contestants = {"us": lambda seed: run("us", seed), "them": lambda seed: run("them", seed)}
    after_each = list(in_turn("x", contestants, 2, {}))
    assert ran == [("us", 0), ("them", 0), ("us", 1), ("them", 1)]
    assert [results["us"]["seeds"] for results in after_each] == [[0], [0, 1]]
    assert after_each[-1]["us"]["accuracies"] == [0.5, 0.6]
    assert after_each[-1]["us"]["seconds"] == 2.5


def test_more_seeds_are_added_to_those_that_are_there() -> None:
    *_, before = in_turn("x", {"us": curve, "them": curve}, 1, {})
    ran: list[int] = []

    def run(seed: int) -> Curve:
        ran.append(seed)
        return curve(seed)

    *_, results = in_turn("x", {"us": run}, 3, before)
    assert ran == [1, 2]
    assert results["us"]["seeds"] == [0, 1, 2]
    assert results["us"]["curves"] == [curve(0), curve(1), curve(2)]
    assert results["them"] == before["them"]


def test_time_is_that_of_the_runs_with_the_most_threads() -> None:
    runs = {0: Run(curve(0), threads=2), 1: Run(curve(1), threads=1)}
    results = described(runs)
    assert results["seconds"] == 2.0
    assert results["mean"] == 0.55
    assert runs_of(results) == runs


def few_rows() -> Dataset:
    return silhouettes(rows=300, test_rows=10).train


@pytest.mark.parametrize("job", [FULL_BATCH[1], MINI_BATCH[0]], ids=lambda job: job.name)
@pytest.mark.parametrize("name", ["handloom[fast]", "torch", "torch, best", "torch, bfloat16"])
def test_contestants_learn_what_we_learn(name: str, job: Job) -> None:
    if reason := missing(name):
        pytest.skip(reason)
    result = losses(job, few_rows(), 1, ["handloom", name])
    CHECKS["ten steps"].refuse(job, result)


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # PyTorch's compiler warns of itself
@pytest.mark.parametrize("job", [FULL_BATCH[1], MINI_BATCH[0]], ids=lambda job: job.name)
@pytest.mark.parametrize("name", ["torch, compiled", "jax"])
def test_compiled_contestants_learn_what_we_learn(name: str, job: Job) -> None:
    if reason := missing(name):
        pytest.skip(reason)
    result = losses(job, few_rows(), 1, ["handloom", name])
    CHECKS["ten steps"].refuse(job, result)


@pytest.mark.parametrize("loss", [1.01, math.nan])
def test_a_contestant_that_learns_something_else_is_refused(loss: float) -> None:
    result = {"before": 2.0, "handloom": 1.0, "torch": loss}
    with pytest.raises(RuntimeError, match="loss of torch"):
        CHECKS["ten steps"].refuse(MINI_BATCH[0], result)


def test_a_contestant_that_does_not_learn_is_refused() -> None:
    result = {"before": 1.0, "handloom": 1.0, "torch": 1.0}
    with pytest.raises(RuntimeError, match="has not fallen"):
        CHECKS["ten steps"].refuse(MINI_BATCH[0], result)


@pytest.mark.long
def test_a_call_that_says_what_it_took_is_believed() -> None:
    timed = timings({"own": lambda: Spent(2.0, 3.0), "seen": lambda: None}, 2)
    assert timed["own"]["median"] == timed["own"]["first"] == 2.0
    assert timed["own"]["cores"] == 1.5
    assert 0.0 < timed["seen"]["median"] < 1.0


def medians(**seconds: float) -> dict[str, dict[str, float]]:
    names = {"ours": "handloom[fast]", "floor": "products alone", "bfloat16": "torch, bfloat16"}
    return {names.get(name, name): {"median": value} for name, value in seconds.items()}


def test_the_quickest_in_float32_is_the_anchor() -> None:
    timed = medians(ours=1.0, floor=0.8, torch=2.0, jax=0.5, bfloat16=0.1)
    results = {"one core": {MINI_BATCH[0].name: timed}}
    (anchor,) = anchors(results)
    assert (anchor.cores, anchor.quickest, anchor.theirs) == ("one core", "jax", 0.5)
    assert "| one core | 1.000 | jax | 0.500 | 2.00 | 0.800 | 1.25 |" in anchor.row()
    assert "one core: to JAX | at most 1 | **missed: 2** |" in table(results)


def test_without_another_library_there_is_no_anchor() -> None:
    results = {"one core": {MINI_BATCH[0].name: medians(ours=1.0, floor=0.8)}}
    assert not list(anchors(results))
    assert "to JAX" not in table(results)


def test_every_job_has_a_goal() -> None:
    texts = [goal.text for goal in goals()]
    for job in (*FULL_BATCH, *MINI_BATCH):
        assert any(text.startswith(job.name) for text in texts)


def test_pictures_of_anchors_are_drawn(tmp_path: Path) -> None:
    timed = medians(ours=1.0, floor=0.8, torch=2.0, jax=0.5)
    draw({"one core": {MINI_BATCH[0].name: timed}}, tmp_path)
    assert (tmp_path / "anchors.png").exists()


def test_a_step_is_counted_as_by_hand() -> None:
    job = Job("two rows", (3,), 2, "sgd", 0.1)
    multiplications = 2 * (2 * 784 * 3) + 3 * (2 * 3 * 10)
    rows = 2 * 784 * 5
    products = 2 * (2 * 784 + 784 * 3 + 2 * 3) + 3 * (2 * 3 + 3 * 10 + 2 * 10)
    activations = 5 * 2 * (3 + 10)
    weights = 4 * (785 * 3 + 4 * 10)  # the sum of squares, and a step of SGD
    assert counts(job) == Counts(3, multiplications, rows + 4 * (products + activations + weights))


def test_constants_of_steps_are_found_again_and_predict_the_others(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    constants = {"1": [2e-6, 1e-11, 2e-11], "2": [3e-6, 0.6e-11, 1.5e-11]}
    results = {
        cores: {"seconds": counted(grid()) @ np.array(each), "cores": [float(cores)]}
        for cores, each in constants.items()
    }
    assert sum(held_out(grid())) == len(grid()) / 3
    one, two = compared(results)
    assert one.fit.constants == pytest.approx(constants["1"])
    assert two.fit.constants == pytest.approx(constants["2"])
    table = constants_table([one, two])
    assert "| 1 core | 6.0 | 100 | 50 | 0 % | 0 % | 1.00 |" in table
    assert "Other work" not in table
    assert "Other work" in constants_table([two._replace(busy=1.0)])
    assert "4 cores, extrapolated" in sizes_table([one, two])
    draw_scale([one, two], tmp_path)
    assert (tmp_path / "scale.png").exists()
