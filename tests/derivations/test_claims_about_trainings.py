"""Statements with a number in the guides to training and to gradient checks, computed."""

import math
import re
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import (
    EMA,
    SGD,
    BestWeights,
    Callback,
    CosineDecay,
    Dataset,
    Dense,
    History,
    Layer,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    ScaledNormal,
    Sequential,
    SoftmaxCrossEntropy,
    Trainer,
    check_gradients,
)
from handloom.gradcheck.differences import Probe, compare
from handloom.gradcheck.report import OK, TINY, UNDECIDED
from handloom.losses import Loss
from handloom.parameters import Array, ParameterSpec
from handloom.training.diagnosis import Diagnosis, LayerProbe, ProbeRecord
from handloom.training.findings import findings
from handloom.training.history import EpochRecord
from handloom.training.probe import allowed_seconds, guessing

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "training.md"


class Steps(Callback):
    """Keeps the loss, the rows and the gradient norm of each step, and the weights after it."""

    def on_train_begin(self, *, state: Any) -> None:
        self.figures = list[tuple[float, int, float]]()
        self.weights = [state.network.parameters.vector.copy()]

    def on_step_end(self, *, state: Any, measured: Any) -> None:
        self.figures.append((measured.data_loss, measured.rows, measured.gradient_norm))
        self.weights.append(state.network.parameters.vector.copy())


def trained(*callbacks: Callback, epochs: int = 1, **options: Any) -> Trainer:
    """Return a trainer that has fitted 100 rows of three classes, in batches of 30, in float64."""
    generator = np.random.default_rng(0)
    x, classes = generator.standard_normal((100, 2)), generator.integers(0, 3, 100)
    network = Sequential([Dense(3, weights_l2=5.0)]).build((2,), seed=0, dtype="float64")
    fixed: dict[str, Any] = {"batch_size": 30, "backend": "numpy", "diagnose": False}
    trainer = Trainer(network, SGD(), 0.1, epochs=epochs, callbacks=callbacks, **fixed, **options)
    trainer.fit(Dataset(x, classes, ("a", "b", "c")))
    return trainer


def test_training_metrics_are_means_over_rows_and_not_over_steps() -> None:
    steps = Steps()
    history = trained(steps).state.history
    losses, rows, _ = np.array(steps.figures).T
    assert rows.tolist() == [30, 30, 30, 10]
    assert history["data_loss"][0] == pytest.approx(np.average(losses, weights=rows))
    assert history["data_loss"][0] != pytest.approx(losses.mean(), rel=1e-3)


def test_clipping_scales_the_gradient_with_its_penalty_to_the_limit() -> None:
    steps = Steps()
    trained(steps, clip_norm=0.5)
    assert steps.figures[0][2] > 1
    assert np.linalg.norm(steps.weights[1] - steps.weights[0]) == pytest.approx(0.1 * 0.5)


def test_averaged_weights_are_a_mean_of_the_weights_after_each_step() -> None:
    steps = Steps()
    trainer = trained(steps, average=EMA(0.5))
    shares = 0.5 ** np.arange(4)[::-1]
    expected = shares @ np.array(steps.weights[1:]) / shares.sum()
    np.testing.assert_allclose(trainer.network.parameters.vector, expected, rtol=1e-12)


def test_with_a_min_delta_the_weights_kept_are_not_those_of_the_lowest_value() -> None:
    values = iter([1.0, 0.5, 0.45, 0.4])

    class Recorded(Callback):
        def on_epoch_end(self, *, state: Any, record: Any) -> None:
            state.record("value", next(values))

    best = BestWeights("value", goal="low", min_delta=0.1)
    trained(Recorded(), best, epochs=4)
    assert (best.epoch, best.value) == (1, 0.5)  # 0.4 is lower by 0.1, not by more


def test_balanced_weights_balance_all_rows_and_not_small_batches() -> None:
    """A bias learns the mean share of the weight that rows of a class have in a batch."""
    n, rare, size = 500, 10, 10
    data = Dataset(np.zeros((n, 1)), np.arange(n) % 50 // 49, ("often", "rarely"))
    learned = []
    for batch_size, epochs in ((None, 3), (size, 8)):
        network = Sequential([Dense(2)]).build((1,), seed=0, dtype="float64")
        steps = epochs * (1 if batch_size is None else n // size)
        options: dict[str, Any] = {"batch_size": batch_size, "diagnose": False, "backend": "numpy"}
        trainer = Trainer(network, SGD(), CosineDecay(1.0, steps), epochs=epochs, **options)
        trainer.fit(data, class_weight="balanced")
        learned.append(float(trainer.model().predict(np.zeros((1, 1)))[0, 1]))
    heavy, light = n / (2 * rare), n / (2 * (n - rare))
    share = sum(
        comb(rare, count)
        * comb(n - rare, size - count)
        / comb(n, size)
        * (heavy * count / (heavy * count + light * (size - count)))
        for count in range(size + 1)
    )
    assert share == pytest.approx(0.156, abs=0.002)
    assert learned == [pytest.approx(0.5, abs=0.001), pytest.approx(share, abs=0.06)]


LOSSES = MeanSquaredError(), MeanAbsoluteError(), Poisson(), Pinball((0.9,))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_the_best_constant_prediction_is_that_of_weighted_rows(loss: Loss) -> None:
    targets = np.random.default_rng(0).exponential(size=(50, 1))
    weights = 1.0 + 9.0 * (targets[:, 0] > 2.0)
    constants = np.linspace(0.0, 6.0, 301)
    best = min(loss(np.full(targets.shape, c), targets, weights)[0] for c in constants)
    guess = guessing(loss, targets, weights, targets.shape, np.float64)
    assert guess == pytest.approx(best, rel=2e-3)


def test_the_best_constant_prediction_of_smoothed_classes_is_their_entropy() -> None:
    """Three classes, of which one is absent."""
    shares = 0.9 * np.array([0.9, 0.1, 0.0]) + 0.1 / 3
    classes = np.arange(100) % 10 // 9
    guess = guessing(SoftmaxCrossEntropy(0.1), classes, None, (100, 3), np.float64)
    assert guess == pytest.approx(-shares @ np.log(shares))


CAUSES: dict[str, dict[str, Any]] = {
    "unchanged weights": {"update": 0.0, "optimizer": "OfMyOwn"},
    "small input features": {"input_scale": 1e-4},
    "equal units": {"alike": True},
    "large input features": {"input_scale": 100.0},
    "ended schedule": {"rate": 1e-13},
    "vanishing gradient": {"gradient": 1e-3},
    "large initial weights": {"output": 1000.0},
    "learning rate too large": {"update": 0.1},
    "dead units": {"dead": 0.6},
    "saturation": {"saturated": 0.6},
    "learning rate too small": {"update": 1e-6},
}
"""Measurements of each cause, in the order of the guide's table."""


def stuck(measured: dict[str, Any]) -> History:
    """Return the history of one epoch of a training that has learned nothing."""
    layer: dict[str, Any] = {"output": 1.0, "gradient": 1.0, "update": 1e-3, "growth": 1.0}
    rest: dict[str, Any] = {"rate": 0.1, "input_scale": 1.0, "optimizer": "SGD"} | measured
    rate, scale, optimizer = (rest.pop(name) for name in ("rate", "input_scale", "optimizer"))
    last = layer | {"update": 0.0}
    layers = LayerProbe("0.dense", **(layer | rest)), LayerProbe("1.dense", **last)
    history = History()
    history.records = [EpochRecord(0, 2.3, 2.3, 0.0, None, rate, 1.0)]
    records = [ProbeRecord(0, 2.3, layers)]
    history.diagnosis = Diagnosis(optimizer, 100, 0.0, 256, 2.3, scale, 0.0, records)
    return history


def test_of_two_causes_the_first_in_the_table_is_named() -> None:
    table = GUIDE.read_text().partition("| finding | measurement | remedy |")[2]
    rows = re.findall(r"^\| ([a-z].+?) \|", table.partition("\n\n")[0], flags=re.MULTILINE)
    names = list(CAUSES)
    assert len(rows) == len(names)
    for row, name, following in zip(rows, names, [*names[1:], names[-1]], strict=True):
        assert name in row
        found = findings(stuck(CAUSES[following] | CAUSES[name]))
        assert [each.symptom for each in found] == ["stuck", name]
    for name in ("dead units", "saturation"):  # then a vanishing gradient is their effect
        found = findings(stuck(CAUSES["vanishing gradient"] | CAUSES[name]))
        assert [each.symptom for each in found] == ["stuck", name]


@pytest.mark.parametrize(
    ("elapsed", "allowed"), [(0.1, 0.02), (1.0, 0.05), (5.0, 0.1), (100.0, 1.0)]
)
def test_the_time_for_measurements_has_the_bounds_of_the_guide(
    elapsed: float, allowed: float
) -> None:
    assert allowed_seconds(elapsed) == pytest.approx(allowed)


class Faint(Layer):
    """y = x + size * s, whose gradient with respect to s is as small as its size."""

    kind = "faint"

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size

    def declare(self, input_shape: tuple[int, ...]) -> dict[str, ParameterSpec]:
        return {"s": ParameterSpec(input_shape, ScaledNormal(1.0))}

    def forward(self, x: Array, *, training: bool = False, rng: object = None) -> Array:
        return x + self.size * self.weights["s"]

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["s"][...] = self.size * dy.sum(axis=0)
        return dy if need_dx else None


@pytest.mark.parametrize(("size", "verdict"), [(1e-2, OK), (1e-7, OK), (1e-10, TINY)])
def test_a_gradient_is_tiny_below_the_rounding_error_and_not_below_the_floor(
    size: float, verdict: str
) -> None:
    """The floor is about 1e-3 here, the rounding error 1e-9, relative to the layer's output."""
    x = np.random.default_rng(0).standard_normal((4, 3))
    assert check_gradients(Faint(size), x).rows[1].verdict == verdict


@pytest.mark.parametrize(("kinks", "verdict"), [(1, OK), (2, UNDECIDED), (3, UNDECIDED)])
def test_with_half_of_the_directions_at_kinks_a_gradient_is_undecided(
    kinks: int, verdict: str
) -> None:
    flat = np.array([0.0] * kinks + [1.0] * (4 - kinks))

    def value() -> float:
        return float(np.abs(flat).sum())

    probe = Probe(value, value(), flat, 1.0, 1e-9, 1e-6)
    gradient = np.sign(flat)
    report = compare("w", gradient, probe, thorough=True, generator=np.random.default_rng(0))
    assert (report.verdict, report.left_out) == (verdict, kinks)


def test_halving_a_step_halves_the_gap_of_one_sided_differences_unless_there_is_a_kink() -> None:
    def gaps_and_slopes(f: Any, x: float, h: float) -> tuple[list[float], list[float]]:
        steps = (h, h / 2)
        gaps = [(f(x + s) - 2 * f(x) + f(x - s)) / s for s in steps]
        return gaps, [(f(x + s) - f(x - s)) / (2 * s) for s in steps]

    gaps, slopes = gaps_and_slopes(math.exp, 0.0, 1e-3)
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=1e-4)
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-6)
    for distance in (0.0, 0.2, 1 / 3, 0.5, 0.8):  # of a kink, relative to the step
        gaps, slopes = gaps_and_slopes(lambda x: max(0.0, x), -1e-3 * distance, 1e-3)
        assert abs(slopes[0] - slopes[1]) + abs(gaps[0] - 2 * gaps[1]) > 0.09
