"""Losses of numbers: yes or no, quantities, counts; far out, at their kinks, beside references."""

import numpy as np
import pytest

from handloom import (
    BinaryCrossEntropy,
    DataError,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    SoftmaxCrossEntropy,
)
from handloom.losses import Loss
from handloom.parameters import Array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_neither_overflow_nor_lose_the_loss(dtype: type) -> None:
    z: Array = np.array([[1e4, -1e4, 1e4, -1e4]], dtype)
    value, gradient = BinaryCrossEntropy()(z, np.array([[1, 0, 0, 1]]))
    assert value == pytest.approx(2e4)
    assert gradient.tolist() == [[0.0, 0.0, 1.0, -1.0]]


def test_a_confident_and_right_answer_keeps_its_small_loss() -> None:
    value, gradient = BinaryCrossEntropy()(np.array([[-40.0]]), np.array([0]))
    assert value == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert gradient[0, 0] == pytest.approx(np.exp(-40.0), rel=1e-12)


def test_one_output_is_two_classes() -> None:
    z = np.random.default_rng(0).standard_normal((7, 1))
    classes = np.array([0, 1, 1, 0, 0, 1, 0])
    value, gradient = BinaryCrossEntropy()(z, classes)
    both = np.hstack([np.zeros_like(z), z])  # the softmax of 0 and z is the sigmoid of z
    expected, by_class = SoftmaxCrossEntropy()(both, classes)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient[:, 0], by_class[:, 1], rtol=1e-12)


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), Poisson()])
def test_outputs_add_up(loss: Loss) -> None:
    z, t = np.random.default_rng(0).uniform(size=(2, 5, 3))
    whole = loss(z, t)[0]
    assert whole == pytest.approx(sum(loss(z[:, [j]], t[:, j])[0] for j in range(3)), rel=1e-13)


@pytest.mark.parametrize(
    "loss", [MeanSquaredError(), MeanAbsoluteError(), Huber(0.1), Pinball(0.3)]
)
def test_outputs_are_averaged(loss: Loss) -> None:
    z, t = np.random.default_rng(0).uniform(size=(2, 5, 3))
    whole = loss(z, t)[0]
    assert whole == pytest.approx(sum(loss(z[:, [j]], t[:, j])[0] / 3 for j in range(3)), rel=1e-13)


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        (BinaryCrossEntropy(), [[0.5], [1.1]], r"at least 0 and at most 1, got 0\.5\.\.1\.1"),
        (BinaryCrossEntropy(), [[-1], [1]], r"at least 0 and at most 1, got -1\.\.1"),
        (BinaryCrossEntropy(), [[np.nan], [1]], "at least 0 and at most 1, got nan"),
        (Poisson(), [[2.0], [-0.5]], r"at least 0, got -0\.5\.\.2\.0"),
        (MeanSquaredError(), [["a"], ["b"]], "targets must be numeric, got dtype <U1"),
        (Huber(), [[1j], [2]], "targets must be numeric, got dtype complex128"),
    ],
)
def test_targets_that_mean_nothing_are_refused(
    loss: Loss, targets: list[list[float]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loss(np.ones((2, 1)), np.array(targets))


def test_a_flat_target_fits_one_output_only() -> None:
    with pytest.raises(DataError, match=r"shape \(2, 2\) to fit .* got \(2,\)"):
        MeanSquaredError()(np.ones((2, 2)), np.ones(2))
    with pytest.raises(DataError, match=r"shape \(2, 1\) or \(2,\) to fit .* got \(3,\)"):
        MeanSquaredError()(np.ones((2, 1)), np.ones(3))


def test_the_absolute_error_has_slope_zero_where_it_is_zero() -> None:
    value, gradient = MeanAbsoluteError()(np.array([[1.0, 3.0]]), np.array([[1.0, 2.0]]))
    assert value == 0.5
    assert gradient.tolist() == [[0.0, 0.5]]


def test_huber_is_half_the_square_within_delta_and_a_straight_line_beyond() -> None:
    errors = np.array([[0.5], [2.0], [-2.0], [-6.0], [1e30]])
    results = [Huber(2.0)(error[None], np.zeros(1)) for error in errors]
    assert [value for value, _ in results] == pytest.approx([0.125, 2.0, 2.0, 10.0, 2e30])
    assert [float(slope[0, 0]) for _, slope in results] == [0.5, 2.0, -2.0, -2.0, 2.0]


def test_half_the_squared_error_descends_by_the_error_itself() -> None:
    z, t = np.array([[3.0], [5.0]]), np.array([2.0, 7.0])
    value, gradient = MeanSquaredError(0.5)(z, t)
    assert value == pytest.approx((1 + 4) / 2 / 2)
    assert gradient.tolist() == [[0.5], [-1.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mean_that_is_the_count_costs_nothing(dtype: type) -> None:
    counts = np.array([1.0, 20.0, 3e4])
    value, gradient = Poisson()(np.log(counts)[:, None].astype(dtype), counts)
    assert value == pytest.approx(0.0, abs=10 * np.finfo(dtype).eps * counts.mean())
    np.testing.assert_allclose(gradient, 0.0, atol=10 * np.finfo(dtype).eps * counts.max())


def test_counts_of_zero_cost_their_mean() -> None:
    z = np.array([[-800.0], [0.0], [2.0]])
    value, gradient = Poisson()(z, np.zeros(3, np.int64))
    assert value == pytest.approx(np.exp(z).mean(), rel=1e-14)
    np.testing.assert_allclose(gradient, np.exp(z) / 3, rtol=1e-14)


def test_a_mean_too_large_for_a_number_is_an_infinite_loss_and_no_warning() -> None:
    value, _ = Poisson()(np.array([[1e4]]), np.ones(1))
    assert value == np.inf


@pytest.mark.parametrize(
    ("predictions", "targets", "expected"),
    [
        ([[2.0], [-1.0], [0.0], [3.0]], np.array([1, 0, 1, 0]), 2),  # exactly 0 is a no
        ([[2.0], [-1.0], [0.0], [3.0]], np.array([[0.9], [0.5], [0.5], [0.2]]), 3),
        ([[1.0, -1.0], [1.0, 1.0], [-2.0, 5.0]], np.array([[1, 0], [1, 0], [0, 1]]), 2),
        ([[np.nan], [np.nan]], np.array([0, 1]), 0),
    ],
)
def test_a_row_is_right_when_all_its_outputs_are_on_the_right_side(
    predictions: list[list[float]], targets: Array, expected: int
) -> None:
    correct = BinaryCrossEntropy().correct(np.array(predictions), targets)
    assert correct == expected
    assert type(correct) is int


def test_counting_refuses_targets_of_another_shape() -> None:
    with pytest.raises(DataError, match="targets must have shape"):
        BinaryCrossEntropy().correct(np.ones((3, 2)), np.ones(3))
    with pytest.raises(DataError, match="predictions must have shape"):
        BinaryCrossEntropy().correct(np.ones(3), np.ones(3))


def test_values_agree_with_the_metrics_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    z, weights = generator.standard_normal((50, 1)), generator.uniform(0.5, 2.0, 50)
    yes, counts = generator.integers(0, 2, 50), generator.poisson(2.0, 50)
    chances, means = 1 / (1 + np.exp(-z[:, 0])), np.exp(z[:, 0])
    losses = (BinaryCrossEntropy()(z, yes, weights)[0], Poisson()(z, counts, weights)[0])
    log_loss = metrics.log_loss(yes, chances, sample_weight=weights)
    deviance = metrics.mean_poisson_deviance(counts, means, sample_weight=weights)
    assert losses == pytest.approx((log_loss, deviance / 2), rel=1e-12)
