"""Statements in the derivations of regression losses that explain or predict, computed."""

import numpy as np
import pytest
from tests.helpers.gradients import Float64

from handloom import (
    SGD,
    Dataset,
    Dense,
    DivergenceWarning,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    Sequential,
    StopReason,
    Trainer,
    check_gradients,
)
from handloom.losses import RowLoss, Targets
from handloom.parameters import Array


def fitted(loss: RowLoss, x: Float64, t: Float64, rate: float, steps: int) -> Float64:
    """Return the weights of a linear model after each step of gradient descent."""
    w, path = np.zeros((x.shape[1], 1)), []
    for _ in range(steps):
        w = w - rate * x.T @ loss(x @ w, t)[1]
        path.append(w[:, 0])
    return np.array(path)


def test_a_factor_of_the_loss_is_one_of_the_rate() -> None:
    generator = np.random.default_rng(0)
    x, t = generator.standard_normal((20, 3)), generator.standard_normal(20)
    half = fitted(MeanSquaredError(0.5), x, t, 0.2, 30)
    np.testing.assert_allclose(half, fitted(MeanSquaredError(), x, t, 0.1, 30), rtol=1e-12)


def test_a_gradient_check_detects_the_wrong_sign() -> None:
    class WrongSignError(MeanAbsoluteError):
        def row_losses(self, predictions: Array, targets: Targets, gradient: Array) -> Array:
            losses = super().row_losses(predictions, targets, gradient)
            gradient *= -1.0
            return losses

    z, t = np.random.default_rng(0).standard_normal((2, 5, 3))
    assert MeanAbsoluteError()(z, t)[0] == WrongSignError()(z, t)[0]
    assert [row.verdict for row in check_gradients(WrongSignError(), z, t).rows] == ["WRONG"]


@pytest.mark.parametrize("targets", [[1.0, 1.0, 2.0], [1.0, 2.0, 3.0, 9.0], [0.0, 5.0, 5.0, 5.0]])
def test_absolute_errors_are_least_where_at_most_half_of_the_targets_are_on_either_side(
    targets: list[float],
) -> None:
    t, loss = np.array(targets), MeanAbsoluteError()
    grid = np.arange(-1, 10, 0.25)
    values = np.array([loss(np.full((len(t), 1), z), t)[0] for z in grid])
    below, above = (t < grid[:, None]).mean(axis=1), (t > grid[:, None]).mean(axis=1)
    least = np.isclose(values, values.min(), rtol=1e-12)
    np.testing.assert_array_equal(least, (below <= 0.5) & (above <= 0.5))
    # with ties the gradient of the best constant need not be 0
    slope = loss(np.full((len(t), 1), np.median(t)), t)[1].sum()
    assert slope == pytest.approx({1.0: -1 / 3, 2.5: 0.0, 5.0: 1 / 4}[float(np.median(t))])


def test_near_a_target_the_absolute_error_oscillates_and_huber_converges() -> None:
    x, t = np.ones((1, 1)), np.array([1.0])
    absolute = fitted(MeanAbsoluteError(), x, t, 0.15, 200)[-2:, 0] - 1.0
    assert abs(absolute).sum() == pytest.approx(0.15)  # a step over the target, and back
    assert absolute.min() < 0 < absolute.max()
    assert fitted(Huber(), x, t, 0.15, 200)[-1, 0] == pytest.approx(1.0, abs=1e-9)


def test_quantiles_of_separate_outputs_cross_and_those_of_one_loss_do_not() -> None:
    x = np.random.default_rng(0).uniform(0, 1, 200)
    t = (1 - x) * np.random.default_rng(1).standard_normal(200)  # at 1 there is no noise left
    features = np.column_stack([np.ones(200), x])
    low, high = (fitted(Pinball(q), features, t, 0.5, 300)[-1] @ [1, 1.5] for q in (0.1, 0.9))
    assert low > high
    outputs, loss = np.array([[low, high]]), Pinball([0.1, 0.9])
    value, gradient = loss(outputs, np.zeros(1))
    in_order, swapped = loss(outputs[:, ::-1].copy(), np.zeros(1))
    assert value == in_order
    np.testing.assert_array_equal(gradient, swapped[:, ::-1])


def test_sorted_quantiles_in_another_unit_have_the_same_gradient() -> None:
    z, loss = np.random.default_rng(0).standard_normal((20, 3)), Pinball([0.1, 0.5, 0.9])
    t = np.random.default_rng(1).standard_normal(20)
    value, gradient = loss(z, t)
    for unit in (1e-9, 1e9):
        np.testing.assert_allclose(loss(unit * z, unit * t)[0], unit * value, rtol=1e-12)
        np.testing.assert_array_equal(loss(unit * z, unit * t)[1], gradient)


@pytest.mark.parametrize("count", [1e2, 1e5, 1e7])
def test_the_poisson_loss_of_a_large_count_keeps_its_digits_in_float32(count: float) -> None:
    errors = np.linspace(-3, 3, 61) * np.sqrt(count)
    z = np.log(count + errors).astype(np.float32)[:, None]
    t = np.full(61, count, np.float32)
    for row, logit in enumerate(z[:, 0].astype(float)):
        exact = np.exp(logit) - count - count * (logit - np.log(count))
        loss = Poisson()(z[row : row + 1], t[:1])[0]
        assert loss == pytest.approx(exact, rel=1e-6, abs=1e-7)
        assert loss >= 0


def test_a_mean_that_overflows_ends_a_training_by_its_loss() -> None:
    z = np.array([[89.0]], np.float32)
    assert Poisson()(z, np.ones(1))[0] == np.inf
    data = Dataset(np.ones((8, 2), np.float32), np.full(8, 3.0, np.float32))
    network = Sequential([Dense(1)]).build((2,), seed=0)
    with pytest.warns(DivergenceWarning):
        history = Trainer(network, SGD(), 100.0, loss=Poisson(), epochs=20).fit(data)
    assert history.stop_reason is StopReason.NON_FINITE_LOSS
