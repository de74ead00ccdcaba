"""Statements with a number in the derivations of losses, computed."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from tests.helpers.gradients import Float64

from handloom import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Dataset,
    Dense,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    Sequential,
    Softmax,
    SoftmaxCrossEntropy,
    Trainer,
)
from handloom.layers import Layer
from handloom.losses import Loss, RowLoss
from handloom.parameters import Array

TARGETS = np.random.default_rng(0).standard_normal((101, 1))


def best_constant(loss: RowLoss, targets: Float64 = TARGETS) -> float:
    """Return the constant prediction of the smallest loss, to 0.02, without a gradient."""
    grid = np.linspace(-4, 4, 401)
    values = [loss(np.full_like(targets, z), targets)[0] for z in grid]
    return float(grid[np.argmin(values)])


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_best_constant_of_the_pinball_loss_is_the_quantile(quantile: float) -> None:
    assert best_constant(Pinball(quantile)) == pytest.approx(
        float(np.quantile(TARGETS, quantile)), abs=0.06
    )
    assert np.mean(best_constant(Pinball(quantile)) > TARGETS) == pytest.approx(quantile, abs=0.02)


def test_the_best_constants_of_squared_and_absolute_error_are_mean_and_median() -> None:
    assert best_constant(MeanSquaredError()) == pytest.approx(TARGETS.mean(), abs=0.02)
    assert best_constant(MeanAbsoluteError()) == pytest.approx(np.median(TARGETS), abs=0.02)
    outlier = TARGETS.copy()
    outlier[TARGETS.argmax()] = 300.0
    assert best_constant(MeanAbsoluteError(), outlier) == best_constant(MeanAbsoluteError())
    assert best_constant(MeanSquaredError(), outlier) > best_constant(MeanSquaredError()) + 2


def test_a_factor_of_a_half_makes_the_gradient_of_a_row_its_error() -> None:
    z, t = np.array([[3.0], [0.0]]), np.array([[1.0], [0.5]])
    np.testing.assert_array_equal(2 * MeanSquaredError(0.5)(z, t)[1], z - t)


def test_the_squared_error_is_the_likelihood_of_normal_noise_but_for_constants() -> None:
    z, t, sigma = np.array([[0.3], [1.0], [-2.0]]), TARGETS[:3], 0.7
    density = np.exp(-np.square(z - t) / (2 * sigma**2)) / math.sqrt(2 * math.pi * sigma**2)
    expected = MeanSquaredError()(z, t)[0] / (2 * sigma**2) + math.log(
        math.sqrt(2 * math.pi * sigma**2)
    )
    assert -np.log(density).mean() == pytest.approx(expected, rel=1e-12)


def test_huber_has_no_kink_and_two_limits() -> None:
    z, zero = np.array([[2.0 - 1e-9], [2.0 + 1e-9]]), np.zeros((2, 1))
    losses = [Huber(2.0)(z[i : i + 1], zero[:1]) for i in range(2)]
    assert losses[0][0] == pytest.approx(2.0, abs=1e-8)
    assert losses[1][0] == pytest.approx(2.0, abs=1e-8)
    np.testing.assert_allclose([loss[1] for loss in losses], 2.0, atol=1e-8)
    errors = np.random.default_rng(1).standard_normal((50, 1))
    absolute = MeanAbsoluteError()(errors, np.zeros((50, 1)))[0]
    assert Huber(1e-6)(errors, np.zeros((50, 1)))[0] / 1e-6 == pytest.approx(absolute, rel=1e-5)


def test_sorting_outputs_never_increases_the_sum_of_pinball_losses() -> None:
    generator, quantiles = np.random.default_rng(0), [0.1, 0.4, 0.9]
    for _ in range(200):
        z, t = generator.standard_normal(3), generator.standard_normal()
        unsorted = np.mean([max((1 - q) * (a - t), -q * (a - t)) for a, q in zip(z, quantiles)])  # noqa: B905
        assert Pinball(quantiles)(z[None], np.array([t]))[0] <= unsorted + 1e-12


def test_the_poisson_loss_is_half_the_squared_error_over_the_variance_near_a_count() -> None:
    for count in (2.0, 50.0):
        error = 0.01 * count
        loss = Poisson()(np.log([[count + error]]), np.array([[count]]))[0]
        assert loss == pytest.approx(error**2 / (2 * count), rel=0.01)
    assert Poisson()(np.log([[0.7]]), np.array([[0.0]]))[0] == pytest.approx(0.7, rel=1e-12)


def test_the_poisson_loss_is_the_negative_log_likelihood_less_that_of_a_perfect_mean() -> None:
    def surprise(mean: float) -> float:
        return -math.log(mean**count * math.exp(-mean) / math.factorial(count))

    count = 3
    loss = Poisson()(np.log([[1.7]]), np.array([[3.0]]))[0]
    assert loss == pytest.approx(surprise(1.7) - surprise(3.0), rel=1e-12)


@pytest.mark.parametrize(("dtype", "finite"), [(np.float32, 88), (np.float64, 709)])
def test_an_exponential_is_infinite_from_the_logit_of_the_page(dtype: type, finite: int) -> None:
    with np.errstate(over="ignore"):
        assert np.isfinite(np.exp(dtype(finite)))
        assert np.isinf(np.exp(dtype(finite + 1)))


def test_a_half_has_a_cross_entropy_of_ln_2_and_a_certain_class_of_almost_0() -> None:
    loss = CategoricalCrossEntropy()
    assert loss(np.array([[0.5, 0.5]]), np.array([0]))[0] == pytest.approx(math.log(2))
    assert loss(np.array([[1.0, 0.0]]), np.array([0]))[0] == pytest.approx(0, abs=1.1e-7)
    assert not loss(np.array([[0.0, 1.0]]), np.array([0]))[1].any()  # clipped: no gradient


def test_a_weight_of_2_is_two_copies_of_a_row_and_one_of_0_is_none() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=3)
    t, weights, loss = np.array([0, 2, 1]), np.array([2.0, 0.0, 1.0]), CategoricalCrossEntropy()
    copies = [0, 0, 2]
    assert loss(p, t, weights)[0] == pytest.approx(loss(p[copies], t[copies])[0], rel=1e-12)


def test_smoothing_replaces_targets_by_a_mixture() -> None:
    z, t = np.random.default_rng(0).standard_normal((5, 4)), np.array([0, 3, 1, 1, 2])
    mixed = 0.9 * np.eye(4)[t] + 0.1 / 4
    ours, dz = SoftmaxCrossEntropy(label_smoothing=0.1)(z, t)
    theirs, dz_mixed = SoftmaxCrossEntropy()(z, mixed)
    assert ours == pytest.approx(theirs, rel=1e-12)
    np.testing.assert_allclose(dz, dz_mixed, atol=1e-15)


def test_the_loss_of_a_large_logit_keeps_its_digits() -> None:
    z, t = np.float32(10_000), np.float32(0.999999)
    exact = (1 - float(t)) * 10_000
    loss = BinaryCrossEntropy()(np.array([[z]]), np.array([[t]]))[0]
    assert loss == pytest.approx(exact, rel=1e-6)
    assert abs(float(max(z, np.float32(0)) - t * z) / exact - 1) > 0.01  # the difference is not


def test_a_trainer_differentiates_every_softmax_but_the_last_one_of_a_classifier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[None] = []
    backward = Softmax.backward

    def counting(self: Softmax, dy: Array, *, need_dx: bool = True) -> Array | None:
        calls.append(None)
        return backward(self, dy, need_dx=need_dx)

    monkeypatch.setattr(Softmax, "backward", counting)
    x, classes = np.random.default_rng(0).standard_normal((6, 3)), np.array([0, 1, 2] * 2)
    rows: list[tuple[Loss, Array | npt.NDArray[np.int64], list[Layer], bool]] = [
        (SoftmaxCrossEntropy(), classes, [Dense(3), Softmax()], False),
        (SoftmaxCrossEntropy(), classes, [Dense(3), Softmax(), Dense(3)], True),
        (MeanSquaredError(), np.eye(3)[classes], [Dense(3), Softmax()], True),
    ]
    for loss, targets, layers, expected in rows:
        calls.clear()
        network = Sequential(layers).build((3,), dtype=np.float64)
        trainer = Trainer(network, "sgd", 0.1, epochs=1, batch_size=6, loss=loss, backend="numpy")
        trainer.fit(Dataset(x, targets))
        assert bool(calls) == expected


def test_a_probability_that_underflows_is_lost_to_the_logarithm_and_not_to_the_sum() -> None:
    z = np.array([[0.0, 200.0]], np.float32)
    np.testing.assert_array_equal(Softmax().forward(z), [[0, 1]])
    assert SoftmaxCrossEntropy()(z, np.array([0]))[0] == 200


def test_a_softmax_in_front_of_a_loss_of_logits_is_computed_twice_with_a_warning() -> None:
    p = np.array([[0.5, 0.5], [0.25, 0.75]])
    with pytest.warns(UserWarning, match="takes logits"):
        twice = SoftmaxCrossEntropy()(p, np.array([0, 1]))[0]
    once = SoftmaxCrossEntropy()(np.log(p), np.array([0, 1]))[0]
    assert once == pytest.approx(-np.log([0.5, 0.75]).mean())
    assert twice > once + 0.05
