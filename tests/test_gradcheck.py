"""The gradient check: it finds wrong gradients, and accepts correct ones."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.own_layers import Drop, MaxPool, Normalize, Rng, Scale, Square, rows

from handloom import (
    CategoricalCrossEntropy,
    ConfigurationError,
    DataError,
    Dense,
    Layer,
    ModelError,
    ReLU,
    Sequential,
    Softmax,
    SoftmaxCrossEntropy,
    check_gradients,
)
from handloom.layers import softmax
from handloom.losses import Loss, Targets
from handloom.parameters import Array, Parameters

X = rows(6, 5)
TARGETS = np.array([0, 3, 1, 2, 2, 4])

both_modes = pytest.mark.parametrize("thorough", [False, True], ids=["fast", "thorough"])


def network(**strengths: float) -> Sequential:
    return Sequential([Dense(12, **strengths), ReLU(), Dense(5), Softmax()])  # type: ignore[arg-type]


# correct gradients


@both_modes
@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (Dense(4), X),
        (ReLU(), X),
        (Softmax(), X),
        (Scale(), X),
        (Drop(), X),
        (Normalize(), X),
        (MaxPool(), rows(3, 2, 4, 6)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_right_layers_pass(layer: Layer, x: Array, thorough: bool) -> None:
    report = check_gradients(layer, x, thorough=thorough)
    assert report.ok, report
    assert max(row.error for row in report.rows) < 1e-7
    assert [row.name for row in report.rows] == ["input", *layer.declare(x.shape[1:])]


@both_modes
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.0, 0.5, 3.0, 1.0]])
@pytest.mark.parametrize("targets", [TARGETS, np.eye(5)[TARGETS]], ids=["indices", "one-hot"])
@pytest.mark.parametrize(
    ("loss", "x"), [(SoftmaxCrossEntropy(), X), (CategoricalCrossEntropy(), softmax(X))]
)
def test_right_losses_pass(
    loss: Loss, x: Array, targets: Targets, weights: list[float] | None, thorough: bool
) -> None:
    report = check_gradients(loss, x, targets, weights, thorough=thorough)
    assert report.ok, report


@both_modes
def test_a_network_passes_with_its_penalty(thorough: bool) -> None:
    made = network(weights_l1=0.01, weights_l2=0.02, biases_l1=0.03, biases_l2=0.04)
    weights = np.arange(1.0, 7.0)
    report = check_gradients(made, X, TARGETS, weights, thorough=thorough)
    assert report.ok, report
    assert [row.name for row in report.rows][:2] == ["0.dense.weights", "0.dense.biases"]
    assert [row.shape for row in report.rows] == [(5, 12), (12,), (12, 5), (5,)]


@pytest.mark.parametrize("magnitude", [1e-100, 1e-30, 1e-6, 1e6, 1e30])
def test_numbers_of_any_size_can_be_checked(magnitude: float) -> None:
    assert check_gradients(ReLU(), magnitude * X).ok
    assert not check_gradients(NotScaled(), magnitude * X).ok


def test_a_gradient_that_is_zero_does_not_cry_wolf() -> None:
    made = network().build((5,), dtype=np.float64)
    made.parameters.weights["0.dense.biases"][...] = -1e3  # every unit is dead
    report = check_gradients(made, X, TARGETS, thorough=True)
    assert report.ok, report
    assert report.rows[0].analytic == 0.0


# kinks


@both_modes
def test_zeros_and_ties_are_no_trouble(thorough: bool) -> None:
    images = np.zeros((2, 1, 4, 4))
    assert check_gradients(MaxPool(), images, thorough=thorough).ok
    assert check_gradients(ReLU(), images, thorough=thorough).ok
    made = network(weights_l1=0.1, biases_l1=0.1).build((5,))
    made.parameters.vector[...] = 0.0
    assert check_gradients(made, np.zeros((3, 5)), TARGETS[:3], thorough=thorough).ok


def test_kinks_inside_are_stepped_around_and_counted() -> None:
    wide = Sequential([Dense(2000), ReLU(), Dense(5)])
    report = check_gradients(wide, rows(100, 5), np.arange(100) % 5)
    assert report.ok, report
    assert report.rows[0].kinks > 0
    assert report.rows[-1].kinks == 0  # behind the last ReLU nothing is bent


class Hatched(Layer):
    """Kinks closer to each other than any step."""

    kind = "hatched"

    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        self._remember(x, training)
        return np.asarray(np.abs(np.sin(1e9 * x)))

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        inside = 1e9 * self._recall()
        return np.asarray(dy * 1e9 * np.cos(inside) * np.sign(np.sin(inside)))


def test_what_cannot_be_decided_is_not_called_right() -> None:
    report = check_gradients(Hatched(), X, thorough=True)
    assert not report.ok
    assert report.rows[0].left_out > 0
    assert "left out" in str(report)


# wrong gradients: typical mistakes


class WrongSign(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy, need_dx=need_dx)
        self.gradients["gain"][...] *= -1
        return dx


class TransposedInBackward(Square):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        super().backward(dy)
        return dy @ self.weights["w"]


class TransposedGradient(Square):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["w"][...] = dy.T @ self._recall()
        return dy @ self.weights["w"].T


class MaskOfTheWrongArray(ReLU):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return np.where(dy > 0, dy, 0.0)


class StaleCache(ReLU):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if self._saved is None:
            self._saved = x
        return np.maximum(x, 0.0)


class StaleWeights(Square):
    def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
        if not hasattr(self, "transposed"):
            self.transposed = self.weights["w"].T.copy()
        return super().forward(x, training=training)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        super().backward(dy)
        return dy @ self.transposed


class NoBiasGradient(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["gain"][...] = (dy * self._recall()).sum(axis=0)
        return dy * self.weights["gain"]


class Accumulated(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["gain"][...] = (dy * self._recall()).sum(axis=0)
        self.gradients["shift"][...] += dy.sum(axis=0)
        return dy * self.weights["gain"]


class ReplacedGradient(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        self.gradients["gain"][...] = (dy * self._recall()).sum(axis=0)
        self.gradients["shift"] = dy.sum(axis=0)  # type: ignore[index]
        return dy * self.weights["gain"]


class MeanForSum(Scale):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy)
        self.gradients["shift"][...] = dy.mean(axis=0)
        return dx


class TwiceTheInput(ReLU):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return np.multiply(2.0, super().backward(dy))  # type: ignore[arg-type]


class ForgottenGain(Scale):
    """Right as long as the gains are one, where they start."""

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        super().backward(dy)
        return dy


class ForgottenProjection(Normalize):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return np.asarray((dy - dy.mean(axis=0)) / self._deviation)


class AnotherMask(Drop):
    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * np.roll(self._recall(), 1)


class NotScaled(Drop):
    """Lets the right entries through, without doubling them."""

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return dy * (self._recall() > 0)


class OneEntry(Square):
    """Wrong in a single entry."""

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        dx = super().backward(dy)
        self.gradients["w"][3, 1] += 0.01
        return dx


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
    assert wrong == ["1.scale.gain"]
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
        self._remember(x, training)
        return np.asarray(np.sqrt((x * x).sum(axis=1, keepdims=True)))

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        x = self._recall()
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


# the table, and the unchanged subject


def test_the_worst_entry_is_named() -> None:
    row = check_gradients(OneEntry(), X, thorough=True).rows[1]
    assert row.worst is not None
    assert row.worst.index == (3, 1)
    assert row.worst.analytic - row.worst.numeric == pytest.approx(0.01, rel=1e-6)
    assert row.compared == 25


def test_norms_are_those_of_the_gradients() -> None:
    loss, p = SoftmaxCrossEntropy(), 3.0 * X
    row = check_gradients(loss, p, TARGETS, thorough=True).rows[0]
    expected = np.linalg.norm(loss(p, TARGETS)[1])
    assert row.analytic == pytest.approx(expected, rel=0.1)  # at perturbed values
    assert row.numeric == pytest.approx(row.analytic, rel=1e-8)


def test_the_table_says_it_all() -> None:
    made = Sequential([Dense(5), WrongSign(), Dense(5)])
    text = str(check_gradients(made, X, TARGETS))
    assert "0.dense.weights" in text
    assert "WRONG: -1 x numeric" in text
    assert "not ok: 1 of 6 arrays" in text
    assert "ok: each array agrees within 1e-06" in str(check_gradients(ReLU(), X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_is_left_as_it_is(dtype: type) -> None:
    made = network(weights_l1=0.1).build((5,), dtype=dtype)
    x: Array = X.astype(dtype)
    _, dlogits = SoftmaxCrossEntropy()(made.forward(x, training=True), TARGETS)
    made.backward(dlogits)
    before = made.parameters.vector.copy(), made.parameters.gradient.copy()
    assert check_gradients(made, x, TARGETS).ok
    assert np.array_equal(x, X.astype(dtype))
    assert np.array_equal(made.parameters.vector, before[0])
    assert np.array_equal(made.parameters.gradient, before[1])
    made.backward(dlogits)  # the state of the training pass is unchanged
    assert np.array_equal(made.parameters.gradient, before[1])
    assert made.parameters.dtype == dtype


def test_what_is_not_built_stays_so() -> None:
    layer, made = Dense(3), network()
    check_gradients(layer, X)
    check_gradients(made, X, TARGETS)
    assert not layer.weights
    with pytest.raises(ModelError, match="build the network"):
        _ = made.parameters


def test_the_weights_of_a_built_network_are_the_ones_that_are_checked() -> None:
    made = Sequential([Dense(5)]).build((5,), dtype=np.float64, seed=7)
    made.parameters.vector *= 5.0
    loss = SoftmaxCrossEntropy()
    made.backward(loss(made.forward(X, training=True), TARGETS)[1])
    row = check_gradients(made, X, TARGETS, thorough=True).rows[0]
    norm = np.linalg.norm(made.parameters.gradients["0.dense.weights"])
    assert row.analytic == pytest.approx(norm, rel=0.1)  # at perturbed values


def test_a_network_that_is_sure_of_itself_is_not_called_wrong() -> None:
    made = Sequential([Dense(5)]).build((5,))
    made.parameters.vector[...] = 0.0
    made.parameters.weights["0.dense.biases"][...] = [50.0, 0.0, 0.0, 0.0, 0.0]
    report = check_gradients(made, X, np.zeros(6, int), thorough=True)
    assert report.ok, report
    assert {row.verdict for row in report.rows} == {"ok, tiny"}


def test_the_fast_mode_takes_a_constant_number_of_passes() -> None:
    class Counting(Dense):
        passes = 0

        def forward(self, x: Array, *, training: bool = False, rng: Rng = None) -> Array:
            type(self).passes += 1
            return super().forward(x, training=training)

    counts = []
    for units in (20, 400):
        Counting.passes = 0
        assert check_gradients(Counting(units), X).ok
        counts.append(Counting.passes)
    assert counts[0] == counts[1] < 120


def test_the_same_seed_gives_the_same_table() -> None:
    first, again, other = (str(check_gradients(Drop(), X, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((ReLU(), X, TARGETS), {}, ConfigurationError, "targets must be None for a layer"),
        ((ReLU(), X), {"loss": SoftmaxCrossEntropy()}, ConfigurationError, "^loss must be None"),
        ((network(), X), {}, ConfigurationError, "targets must be given"),
        ((SoftmaxCrossEntropy(), X), {}, ConfigurationError, "targets must be given"),
        (
            (SoftmaxCrossEntropy(), X, TARGETS),
            {"loss": SoftmaxCrossEntropy()},
            ConfigurationError,
            "loss must be None if the subject is a loss",
        ),
        ((ReLU, X), {}, ConfigurationError, "must be a layer, a loss or a network"),
        ((3, X), {}, ConfigurationError, "must be a layer, a loss or a network, got 3"),
        ((ReLU(), X[:0]), {}, DataError, "at least one row"),
        ((ReLU(), X[0]), {}, DataError, "at least one row"),
        ((ReLU(), X * np.nan), {}, DataError, "NaN"),
        ((ReLU(), X), {"tolerance": 0.0}, ConfigurationError, "tolerance must be"),
        ((ReLU(), X), {"seed": -1}, ConfigurationError, "seed must be"),
        ((Sequential([ReLU()]), X, TARGETS), {}, ModelError, "no weights"),
        ((network().build((4,)), X, TARGETS), {}, ModelError, r"must have rows of shape \(4,\)"),
        ((network(), X, TARGETS + 1), {}, DataError, "class indices"),
    ],
)
def test_invalid_arguments_are_refused(
    arguments: tuple[object, ...], options: dict[str, object], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        check_gradients(*arguments, **options)  # type: ignore[arg-type]
