"""Categorical cross-entropy: the value, its gradient, weights, shards, smoothed targets."""

import numpy as np
import pytest
from tests.helpers.gradients import Float64, relative_error

from handloom import (
    CategoricalCrossEntropy,
    DataError,
    Softmax,
    SoftmaxCrossEntropy,
    check_gradients,
)
from handloom.backend import NUMPY, Backend, FusedBackend, fused_is_installed
from handloom.layers import softmax
from handloom.losses import ClassificationLoss, Loss

N, K = 6, 4
TARGETS = np.array([0, 3, 1, 1, 2, 0])
ONE_HOT = np.eye(K)[TARGETS]
BACKENDS = [NUMPY, *([FusedBackend(np.float64)] if fused_is_installed() else [])]


def logits() -> Float64:
    return 2.0 * np.random.default_rng(0).standard_normal((N, K))


@pytest.fixture(params=[0, 1], ids=["from logits", "from probabilities"])
def case(request: pytest.FixtureRequest) -> tuple[Loss, Float64]:
    if request.param:
        return CategoricalCrossEntropy(), softmax(logits()).astype(np.float64)
    return SoftmaxCrossEntropy(), logits()


@pytest.mark.parametrize("targets", [TARGETS, ONE_HOT, np.full((N, K), 0.25)])
@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.0])])
def test_gradient_agrees_with_central_differences(
    case: tuple[Loss, Float64], targets: Float64, weights: Float64 | None
) -> None:
    loss, x = case
    report = check_gradients(loss, x, targets, weights, thorough=True)
    assert report.ok, report


def test_value_is_the_mean_negative_log_probability(case: tuple[Loss, Float64]) -> None:
    loss, x = case
    probabilities = softmax(logits())
    expected = -np.log(probabilities[np.arange(N), TARGETS]).mean()
    assert loss(x, TARGETS)[0] == pytest.approx(expected, rel=1e-12)


def test_indices_and_one_hot_rows_agree(case: tuple[Loss, Float64]) -> None:
    loss, x = case
    by_index, by_row = loss(x, TARGETS), loss(x, ONE_HOT)
    assert by_index[0] == pytest.approx(by_row[0], rel=1e-14)
    assert relative_error(by_index[1], by_row[1]) < 1e-14


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int32, np.float32])
def test_one_hot_rows_of_any_type_mean_the_same(case: tuple[Loss, Float64], dtype: type) -> None:
    loss, x = case
    expected, actual = loss(x, ONE_HOT), loss(x, ONE_HOT.astype(dtype))
    assert actual[0] == expected[0]
    assert np.array_equal(actual[1], expected[1])


def test_fused_and_separate_forms_agree() -> None:
    layer = Softmax()
    value, dp = CategoricalCrossEntropy()(layer.forward(logits(), training=True), TARGETS)
    fused_value, fused = SoftmaxCrossEntropy()(logits(), TARGETS)
    assert value == pytest.approx(fused_value, rel=1e-12)
    assert relative_error(layer.backward(dp), fused) < 1e-12  # type: ignore[arg-type]


def test_a_weight_of_two_is_the_row_twice_and_of_zero_its_absence(
    case: tuple[Loss, Float64],
) -> None:
    loss, x = case
    weights = np.array([2.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    value, gradient = loss(x, TARGETS, weights)
    rows = np.array([0, 0, 2, 3, 5])
    repeated_value, repeated = loss(x[rows], TARGETS[rows])
    assert value == pytest.approx(repeated_value, rel=1e-13)
    assert relative_error(gradient[0], repeated[0] + repeated[1]) < 1e-13
    assert not gradient[[1, 4]].any()


def test_a_row_of_weight_zero_is_absent_even_if_its_loss_is_not_finite() -> None:
    x = logits()
    x[1] = np.nan
    weights = np.ones(N)
    weights[1] = 0.0
    value, gradient = SoftmaxCrossEntropy()(x, TARGETS, weights)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_row_of_weight_zero_may_have_any_class(backend: Backend, smoothing: float) -> None:
    loss = SoftmaxCrossEntropy(smoothing).with_backend(backend)
    targets, weights = np.array([0, -1, K, 1, 2, -100]), np.array([1.0, 0.0, 0.0, 2.0, 0.5, 0.0])
    value, gradient = loss(logits(), targets, weights)
    present = weights > 0
    expected = loss(logits()[present], targets[present], weights[present])
    assert value == pytest.approx(expected[0], rel=1e-14)
    assert not gradient[~present].any()
    assert relative_error(gradient[present], expected[1]) < 1e-14
    with pytest.raises(DataError, match=r"class indices must be in 0\.\.3, got -1\.\.2"):
        loss(logits(), targets, np.array([1.0, 1.0, 0.0, 2.0, 0.5, 0.0]))
    with pytest.raises(DataError, match=r"must be in 0\.\.3, got -100\.\.4"):
        loss(logits(), targets)


def test_probabilities_ignore_the_class_of_a_row_of_weight_zero() -> None:
    targets, weights = np.array([0, -1, K, 1, 2, 0]), np.array([1.0, 0.0, 0.0, 2.0, 0.5, 3.0])
    p = softmax(logits())
    value, gradient = CategoricalCrossEntropy()(p, targets, weights)
    present = weights > 0
    expected = CategoricalCrossEntropy()(p[present], targets[present], weights[present])
    assert value == pytest.approx(expected[0], rel=1e-14)
    assert not gradient[~present].any()


def test_no_weight_at_all_is_no_loss(case: tuple[Loss, Float64]) -> None:
    loss, x = case
    value, gradient = loss(x, TARGETS, np.zeros(N))
    assert value == 0.0
    assert not gradient.any()


def test_shards_add_up_to_the_batch(case: tuple[Loss, Float64]) -> None:
    loss, x = case
    weights = np.arange(1.0, N + 1)
    whole_value, whole = loss(x, TARGETS, weights)
    parts = [
        loss(x[s], TARGETS[s], weights[s], total_weight=float(weights.sum()))
        for s in (slice(0, 2), slice(2, 6))
    ]
    assert sum(value for value, _ in parts) == pytest.approx(whole_value, rel=1e-14)
    assert relative_error(np.vstack([g for _, g in parts]), whole) < 1e-14


def test_huge_logits_neither_overflow_nor_lose_the_loss() -> None:
    x = np.array([[1e4, 0.0, -1e4, 0.0]], np.float32)
    value, gradient = SoftmaxCrossEntropy()(x, np.array([2]))
    assert value == pytest.approx(2e4)
    assert gradient.dtype == np.float32
    assert gradient[0] == pytest.approx([1.0, 0.0, -1.0, 0.0], abs=1e-6)


def test_where_probabilities_are_clipped_the_gradient_is_zero() -> None:
    p = np.array([[0.0, 1.0]])
    value, gradient = CategoricalCrossEntropy()(p, np.array([0]))
    assert value == pytest.approx(-np.log(1e-7))
    assert not gradient.any()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.array([0, 1]), r"shape \(6,\)"),
        (np.array([0, 1, 2, 3, 4, 0]), r"0\.\.3, got 0\.\.4"),
        (np.array([0, 1, 2, 3, -1, 0]), r"got -1\.\."),
        (np.array([0.0, 1, 2, 3, 1, 0]), "integers"),
    ],
)
def test_targets_that_do_not_fit_are_refused(
    case: tuple[Loss, Float64], targets: Float64, message: str
) -> None:
    loss, x = case
    with pytest.raises(DataError, match=message):
        loss(x, targets)


def test_smoothing_is_the_cross_entropy_with_smoothed_targets() -> None:
    smoothed = 0.7 * ONE_HOT + 0.3 / K
    expected = SoftmaxCrossEntropy()(logits(), smoothed)
    for targets in (TARGETS, ONE_HOT):
        actual = SoftmaxCrossEntropy(0.3)(logits(), targets)
        assert actual[0] == pytest.approx(expected[0], rel=1e-13)
        assert relative_error(actual[1], expected[1]) < 1e-13


def test_smoothed_the_best_prediction_is_not_certain() -> None:
    loss = SoftmaxCrossEntropy(0.4)
    target = np.array([2])
    best = np.log(0.6 * np.eye(K)[target] + 0.1)
    value, gradient = loss(best, target)
    assert np.abs(gradient).max() < 1e-15
    assert value == pytest.approx(-(0.7 * np.log(0.7) + 0.3 * np.log(0.1)))
    assert loss(10 * best, target)[0] > value


def test_huge_logits_keep_their_smoothed_loss() -> None:
    x = np.array([[1e4, 0.0, -1e4, 0.0]], np.float32)
    value, gradient = SoftmaxCrossEntropy(0.1)(x, np.array([0]))
    assert value == pytest.approx(0.025 * (1e4 + 2e4 + 1e4))
    assert gradient[0] == pytest.approx([0.075, -0.025, -0.025, -0.025], abs=1e-6)


def test_rows_are_correct_whose_largest_prediction_is_at_the_target(
    case: tuple[Loss, Float64],
) -> None:
    loss, x = case
    assert isinstance(loss, ClassificationLoss)
    expected = int((x.argmax(axis=1) == TARGETS).sum())
    assert 0 < expected < N
    for targets in (TARGETS, ONE_HOT, TARGETS.astype(np.uint8)):
        count = loss.correct(x, targets)
        assert count == expected
        assert type(count) is int
    assert loss.correct(ONE_HOT, TARGETS) == N
    with pytest.raises(DataError, match=r"shape \(6,\)"):
        loss.correct(x, TARGETS[:2])
    with pytest.raises(DataError, match=r"predictions must have shape \(n, k\)"):
        loss.correct(x[0], TARGETS[:1])


def test_of_infinite_logits_only_plus_infinity_gives_nan_for_sure() -> None:
    x, loss = np.zeros((1, 3)), SoftmaxCrossEntropy()
    x[0, 1] = -np.inf
    with np.errstate(all="ignore"):
        assert loss(x, np.array([2]))[0] == pytest.approx(np.log(2.0))
        assert loss(x, np.array([1]))[0] == np.inf
        assert np.isnan(loss(x, np.array([[0.0, 0.0, 1.0]]))[0])
        for target in range(3):
            assert np.isnan(loss(-x, np.array([target]))[0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("offset", [0.0, 3e3, 1e6])
def test_large_logits_lose_no_digits(smoothing: float, offset: float) -> None:
    """A class and its one-hot row are one target, however far the logits are from zero."""
    near = np.array([[0.0, 1.0, -2.0], [12.0, 1.75, 0.5]])
    loss = SoftmaxCrossEntropy(smoothing)
    exact, _ = loss(near, np.array([0, 0]))
    logits = (near + offset).astype(np.float32)
    for targets in (np.array([0, 0]), np.array([[1, 0, 0], [1, 0, 0]], np.float32)):
        value, _ = loss(logits, targets)
        assert value == pytest.approx(exact, rel=1e-6)
