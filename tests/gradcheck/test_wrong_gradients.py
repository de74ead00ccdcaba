"""The gradient check finds wrong gradients, and names the array."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.gradcheck.helpers import (
    TARGETS,
    Accumulated,
    AnotherMask,
    ForgottenGain,
    ForgottenProjection,
    MaskOfTheWrongArray,
    MeanForSum,
    NoBiasGradient,
    NotScaled,
    OneEntry,
    ReplacedGradient,
    StaleCache,
    StaleWeights,
    TransposedGradient,
    TransposedInBackward,
    TwiceTheInput,
    WrongSign,
    X,
    both_modes,
    network,
)
from tests.helpers.own_layers import Rng

from handloom import Dense, Layer, ReLU, Sequential, SoftmaxCrossEntropy, check_gradients
from handloom.losses import Loss, Targets
from handloom.parameters import Array, Parameters

PLANTED: dict[type[Layer], tuple[str, str]] = {
    WrongSign: ("gain", "WRONG"),
    TransposedInBackward: ("input", "WRONG"),
    TransposedGradient: ("w", "WRONG"),
    MaskOfTheWrongArray: ("input", "WRONG"),
    StaleCache: ("input", "WRONG"),
    StaleWeights: ("input", "WRONG"),
    NoBiasGradient: ("shift", "not written"),
    Accumulated: ("shift", "not written"),
    ReplacedGradient: ("shift", "not written"),
    MeanForSum: ("shift", "WRONG"),
    TwiceTheInput: ("input", "WRONG"),
    ForgottenGain: ("input", "WRONG"),
    ForgottenProjection: ("input", "WRONG"),
    AnotherMask: ("input", "WRONG"),
    NotScaled: ("input", "WRONG"),
    OneEntry: ("w", "WRONG"),
}


@both_modes
@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught_where_it_is(bug: type[Layer], thorough: bool) -> None:
    report = check_gradients(bug(), X, thorough=thorough)
    assert not report.ok
    assert {row.name: row.verdict for row in report.rows if not row.ok} == dict([PLANTED[bug]])


@both_modes
def test_a_planted_bug_is_caught_inside_a_network(thorough: bool) -> None:
    made = Sequential([Dense(5), WrongSign(), Dense(5)])
    report = check_gradients(made, X, TARGETS, thorough=thorough)
    wrong = [row.name for row in report.rows if not row.ok]
    assert wrong == ["1.wrongsign.gain"]
    made = Sequential([Dense(5), TwiceTheInput(), Dense(5)])
    report = check_gradients(made, X, TARGETS, thorough=thorough)
    assert [row.name for row in report.rows if not row.ok] == ["0.dense.weights", "0.dense.biases"]


@both_modes
@pytest.mark.parametrize(("strength", "scale"), [("weights_l1", 1.0), ("biases_l2", 0.5)])
def test_a_missing_or_halved_penalty_is_caught(
    strength: str, scale: float, thorough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgets_l1_and_halves_l2(self: Parameters) -> None:
        for name, spec in self.specs.items():
            self.gradients[name] += spec.l2 * self.weights[name]

    made = network(**{strength: 1e-3})
    assert check_gradients(made, X, TARGETS, thorough=thorough).ok
    monkeypatch.setattr(Parameters, "add_penalty_gradient", forgets_l1_and_halves_l2)
    report = check_gradients(made, X, TARGETS, thorough=thorough)
    array = f"0.dense.{strength.partition('_')[0]}"
    assert [row.name for row in report.rows if not row.ok] == [array]


def _with_gradient(change: Callable[[Array, Array | None], Array]) -> Loss:
    def planted(
        predictions: Array,
        targets: Targets,
        weights: Array | None = None,
        *,
        total_weight: float | None = None,
        out: Array | None = None,
    ) -> tuple[float, Array]:
        value, gradient = SoftmaxCrossEntropy()(predictions, targets, weights)
        return value, change(gradient, weights)

    planted.output_activation = "softmax"  # type: ignore[attr-defined]
    return planted


@both_modes
@pytest.mark.parametrize(
    ("change", "factor"),
    [
        (lambda gradient, weights: gradient * len(gradient), 6.0),
        (lambda gradient, weights: -gradient, -1.0),
        (lambda gradient, weights: gradient / np.maximum(weights, 0.1)[:, None], None),
        (lambda gradient, weights: gradient + 1e-4, None),
    ],
    ids=["forgotten mean", "wrong sign", "unweighted", "shifted"],
)
def test_a_planted_bug_in_a_loss_is_caught(
    change: Callable[[Array, Array | None], Array], factor: float | None, thorough: bool
) -> None:
    loss = _with_gradient(change)
    weights = np.arange(1.0, 7.0)
    for report in (
        check_gradients(loss, X, TARGETS, weights, thorough=thorough),
        check_gradients(network(), X, TARGETS, weights, loss=loss, thorough=thorough),
    ):
        assert not report.ok
        if factor is not None:
            assert all(row.factor == pytest.approx(factor) for row in report.rows)


class ReturnsFloat32(ReLU):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return super().backward(dy).astype(np.float32)  # type: ignore[union-attr]


class ReturnsNothing(ReLU):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return None


class AnnouncesAnotherShape(ReLU):
    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0] + 1,)


class DrawsByItself(ReLU):
    generator = np.random.default_rng(0)

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        return super().forward(x, training=training) * self.generator.random()


class DividesByZero(Layer):
    """The norm of a row, whose slope at zero is nothing and not NaN."""

    kind = "norm"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (1,)

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self._save_for_backward(x, training)
        return np.asarray(np.sqrt((x * x).sum(axis=1, keepdims=True)))

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        x = self._saved_array()
        return np.asarray(dy * x / np.sqrt((x * x).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize(
    ("layer", "x", "finding"),
    [
        (ReturnsFloat32(), X, "the gradient of the input must be float64, .* got float32"),
        (ReturnsNothing(), X, "the gradient of the input must be an array, got NoneType"),
        (AnnouncesAnotherShape(), X, r"the output must have shape \(6, 6\), got \(6, 5\)"),
        (DrawsByItself(), X, "two passes over the same values differ"),
        (DividesByZero(), 0.0 * X, "at the unperturbed values, the gradient of input is not"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_what_else_is_wrong_is_found(layer: Layer, x: Array, finding: str) -> None:
    report = check_gradients(layer, x)
    assert not report.ok
    with pytest.raises(AssertionError, match=finding):
        raise AssertionError(str(report))
