"""The contract of every loss, beside references of plain arithmetic; and the names of losses."""

import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from handloom import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ConfigurationError,
    DataError,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    SoftmaxCrossEntropy,
)
from handloom.layers import softmax
from handloom.losses import LOSSES, ClassificationLoss, Loss, Targets, loss
from handloom.parameters import Array
from handloom.testing import check_loss

N, K = 6, 4
Row = Sequence[float]


def draw(*shape: int, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(shape)


def fractions(*shape: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(5).uniform(size=shape)


CLASSES = np.array([0, 3, 1, 1, 2, 0])
ONE_HOT = np.eye(K)[CLASSES]
YES = np.array([0, 1, 1, 0, 1, 0])
COUNTS = np.array([[0, 3], [1, 0], [2, 2], [7, 1], [0, 0], [1, 30]])


def cross_entropy(z: Row, t: Row, share: float = 0.0) -> float:
    smoothed = [(1 - share) * u + share * sum(t) / len(t) for u in t]
    total = sum(math.exp(v) for v in z)
    return -sum(u * math.log(math.exp(v) / total) for u, v in zip(smoothed, z, strict=True))


def of_probabilities(p: Row, t: Row) -> float:
    return -sum(u * math.log(v) for u, v in zip(t, p, strict=True))


def binary(z: Row, t: Row) -> float:
    chances = [1 / (1 + math.exp(-v)) for v in z]
    return -sum(
        u * math.log(p) + (1 - u) * math.log(1 - p) for p, u in zip(chances, t, strict=True)
    )


def squared(z: Row, t: Row) -> float:
    return sum((v - u) ** 2 for v, u in zip(z, t, strict=True)) / len(t)


def absolute(z: Row, t: Row) -> float:
    return sum(abs(v - u) for v, u in zip(z, t, strict=True)) / len(t)


def huber(z: Row, t: Row, delta: float) -> float:
    errors = [abs(v - u) for v, u in zip(z, t, strict=True)]
    return sum(e * e / 2 if e <= delta else delta * (e - delta / 2) for e in errors) / len(t)


def pinball(z: Row, t: Row, quantiles: Row) -> float:
    targets, q = list(t) * (len(z) // len(t)), list(quantiles) * (len(z) // len(quantiles))
    costs = [
        (1 - level) * (v - u) if v > u else level * (u - v)
        for v, u, level in zip(z, targets, q, strict=True)
    ]
    return sum(costs) / len(z)


def poisson(z: Row, t: Row) -> float:
    def half_deviance(mean: float, count: float) -> float:
        return (count * math.log(count / mean) if count else 0.0) - count + mean

    return sum(half_deviance(math.exp(v), u) for v, u in zip(z, t, strict=True))


Case = tuple[Loss, Array, Targets, Callable[[Row, Row], float]]
CASES: dict[str, Case] = {
    "softmax, classes": (SoftmaxCrossEntropy(), 2 * draw(N, K), CLASSES, cross_entropy),
    "softmax, one-hot": (SoftmaxCrossEntropy(), 2 * draw(N, K), ONE_HOT, cross_entropy),
    "smoothed, classes": (
        *(SoftmaxCrossEntropy(0.2), 2 * draw(N, K), CLASSES),
        lambda z, t: cross_entropy(z, t, 0.2),
    ),
    "smoothed, any mass": (
        *(SoftmaxCrossEntropy(0.2), 2 * draw(N, K), fractions(N, K)),
        lambda z, t: cross_entropy(z, t, 0.2),
    ),
    "categorical": (CategoricalCrossEntropy(), softmax(draw(N, K)), CLASSES, of_probabilities),
    "binary, one output": (BinaryCrossEntropy(), 2 * draw(N, 1), YES, binary),
    "binary, labels": (BinaryCrossEntropy(), 2 * draw(N, K), ONE_HOT.astype(bool), binary),
    "binary, in between": (BinaryCrossEntropy(), 2 * draw(N, K), fractions(N, K), binary),
    "squared, one output": (MeanSquaredError(), draw(N, 1), draw(N, seed=1), squared),
    "squared, several": (MeanSquaredError(), draw(N, 3), draw(N, 3, seed=1), squared),
    "squared, half": (
        *(MeanSquaredError(0.5), draw(N, 3), draw(N, 3, seed=1)),
        lambda z, t: squared(z, t) / 2,
    ),
    "absolute": (MeanAbsoluteError(), draw(N, 3), draw(N, 3, seed=1), absolute),
    "huber": (Huber(), draw(N, 3), draw(N, 3, seed=1), lambda z, t: huber(z, t, 1.0)),
    "huber, narrow": (Huber(0.2), draw(N, 3), draw(N, 3, seed=1), lambda z, t: huber(z, t, 0.2)),
    "pinball": (
        *(Pinball(0.9), draw(N, 3), draw(N, 3, seed=1)),
        lambda z, t: pinball(z, t, [0.9]),
    ),
    "pinball, several": (
        *(Pinball([0.1, 0.5, 0.9]), draw(N, 3), draw(N, seed=1)),
        lambda z, t: pinball(sorted(z), t, [0.1, 0.5, 0.9]),
    ),
    "poisson, one output": (Poisson(), draw(N, 1), COUNTS[:, 0], poisson),
    "poisson, several": (Poisson(), draw(N, 2), COUNTS, poisson),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def target_rows(loss: Loss, predictions: Array, targets: Targets) -> Array:
    """Return targets of any form as rows of numbers."""
    if isinstance(loss, SoftmaxCrossEntropy | CategoricalCrossEntropy) and targets.ndim == 1:
        return np.eye(predictions.shape[1])[targets]
    return targets.reshape(len(predictions), -1).astype(np.float64)


def test_it_keeps_the_contract_of_losses(case: Case) -> None:
    loss, predictions, targets, of_row = case

    def reference(predictions: Array, targets: Targets) -> Array:
        rows = target_rows(loss, predictions, targets)
        pairs = zip(predictions.tolist(), rows.tolist(), strict=True)
        return np.array([of_row(z, t) for z, t in pairs])

    check_loss(loss, predictions, targets, reference)


def test_every_loss_is_tested_here() -> None:
    assert {type(subject) for subject, *_ in CASES.values()} == set(LOSSES.values())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_of_weight_zero_is_absent_whatever_is_in_it(case: Case, bad: float) -> None:
    loss, predictions, targets, _ = case
    weights = np.array([1.0, 0.0, 2.0, 1.0, 1.0, 0.5])
    value, gradient = loss(predictions, targets, weights)
    broken, goals = predictions.copy(), targets.copy()
    broken[1] = bad
    if goals.dtype.kind == "f":
        goals[1] = bad  # as where a label is missing
    actual = loss(broken, goals, weights)
    assert actual[0] == value
    assert np.array_equal(actual[1], gradient)


def test_a_row_that_is_not_finite_is_not_hidden(case: Case) -> None:
    loss, predictions, targets, _ = case
    broken = predictions.copy()
    broken[1] = np.nan
    assert not np.isfinite(loss(broken, targets)[0])


@pytest.mark.parametrize("name", LOSSES)
def test_float32_is_summed_in_float64(name: str) -> None:
    n = 200_000
    predictions = np.full((n, 1), 0.3, np.float32)
    targets = np.zeros((n, 1), np.float32)
    value, gradient = loss(name)(predictions, targets)
    assert gradient.dtype == np.float32
    # the mean of equal rows is the row; a sum in float32 would be off by far more
    assert value == pytest.approx(loss(name)(predictions[:1], targets[:1])[0], rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_no_rows_are_no_loss(name: str) -> None:
    value, gradient = loss(name)(np.empty((0, 3)), np.empty((0, 3)))
    assert value == 0.0
    assert gradient.shape == (0, 3)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("predictions", "targets", "weights", "message"),
    [
        (np.ones(3), np.ones(3), None, r"predictions must have shape \(n, k\).*got \(3,\)"),
        (np.ones((3, 0)), np.ones((3, 0)), None, r"k at least 1, got \(3, 0\)"),
        (np.ones((3, 2)), np.ones((2, 2)), None, r"targets must have shape .*got \(2, 2\)"),
        (np.ones((3, 2)), np.ones((3, 1)), None, r"targets must have shape .*got \(3, 1\)"),
        (np.ones((3, 2)), np.ones((3, 2)), np.ones(2), r"weights must have shape \(3,\), got"),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(
    name: str, predictions: Array, targets: Array, weights: Array | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loss(name)(predictions, targets, weights)


@pytest.mark.parametrize("name", LOSSES)
def test_targets_and_weights_may_be_lists(name: str) -> None:
    predictions, targets, weights = np.full((2, 2), 0.5), [[1.0, 0.0], [0.0, 1.0]], [1.0, 3.0]
    value, gradient = loss(name)(predictions, targets, weights)  # type: ignore[arg-type]
    expected = loss(name)(predictions, np.array(targets), np.array(weights))
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])


@pytest.mark.parametrize("name", LOSSES)
def test_targets_that_are_not_numeric_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="targets must be numeric, got dtype <U1"):
        loss(name)(np.full((1, 2), 0.5), np.array([["1", "0"]]))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_made_again_from_its_configuration(name: str) -> None:
    config = json.loads(json.dumps(loss(name).config()))
    assert loss(name, **config).config() == config
    assert type(loss(name, **config)) is LOSSES[name]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (SoftmaxCrossEntropy(0.1), {"label_smoothing": 0.1}),
        (MeanSquaredError(0.5), {"factor": 0.5}),
        (Huber(2.0), {"delta": 2.0}),
        (Pinball(0.25), {"quantile": 0.25}),
        (Pinball((0.25, 0.5)), {"quantile": [0.25, 0.5]}),
    ],
)
def test_options_are_part_of_the_configuration(subject: Huber, expected: dict[str, float]) -> None:
    assert subject.config() == expected
    assert loss(subject.kind, **subject.config()).config() == expected


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'huber'"):
        loss("hubert")
    with pytest.raises(ConfigurationError, match=r"huber.*smoothing"):
        loss("huber", smoothing=0.1)


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, float("nan"), "some", True])
def test_shares_that_mean_nothing_are_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="label_smoothing must be"):
        SoftmaxCrossEntropy(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), None])
@pytest.mark.parametrize(("kind", "option"), [(Huber, "delta"), (MeanSquaredError, "factor")])
def test_factors_that_mean_nothing_are_refused(
    kind: Callable[[object], object], option: str, value: object
) -> None:
    with pytest.raises(ConfigurationError, match=f"{option} must be a finite number above 0"):
        kind(value)


def test_losses_of_classes_count_correct_rows_and_those_of_numbers_do_not() -> None:
    counting = {name for name in LOSSES if isinstance(loss(name), ClassificationLoss)}
    assert counting == {
        "softmax_cross_entropy",
        "categorical_cross_entropy",
        "binary_cross_entropy",
    }
