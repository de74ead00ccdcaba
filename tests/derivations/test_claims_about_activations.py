"""Statements in the derivations of activations and of dropout that explain or predict, computed."""

import math
import weakref

import numpy as np
import pytest

from handloom import (
    ELU,
    GELU,
    SGD,
    BinaryCrossEntropy,
    Dataset,
    Dense,
    Dropout,
    LeakyReLU,
    MeanSquaredError,
    ReLU,
    ScaledNormal,
    Sequential,
    Sigmoid,
    Tanh,
    Trainer,
    build,
)
from handloom.layers import Layer
from handloom.parameters import Array

ROWS, TARGETS = np.array([[1.0], [2.0]]), np.array([[-1.0], [1.0]])
WEIGHTS, BIASES = "0.dense.weights", "0.dense.biases"


def train(
    first: Dense, activation: Layer, w: float, b: float, *, steps: int, momentum: float = 0.0
) -> tuple[float, float, int]:
    """Train a single unit; return its weight, its bias and the rows for which it is active."""
    network = Sequential([first, activation, Dense(1)]).build((1,), dtype=np.float64)
    network.set_weights(
        {WEIGHTS: [[w]], BIASES: [b], "2.dense.weights": [[1.0]], "2.dense.biases": [0.0]}
    )
    Trainer(
        network, SGD(momentum=momentum), 0.1, epochs=steps, loss=MeanSquaredError(), diagnose=False
    ).fit(Dataset(ROWS, TARGETS, ("y",)))
    after = network.get_weights()
    active = int((network.activations(ROWS)["0.dense"] > 0).sum())
    return after[WEIGHTS].item(), after[BIASES].item(), active


# dense layers


def test_a_loss_is_a_mean_so_gradients_of_a_batch_and_of_two_copies_are_equal() -> None:
    generator = np.random.default_rng(0)
    x, t = generator.standard_normal((7, 4)), generator.standard_normal((7, 3))
    gradients = []
    layer = Dense(3)
    build([layer], (4,), dtype=np.float64)
    for copies in (1, 2):
        z = layer.forward(np.tile(x, (copies, 1)), training=True)
        layer.backward(MeanSquaredError()(z, np.tile(t, (copies, 1)))[1])
        gradients.append({name: dw.copy() for name, dw in layer.gradients.items()})
    for name, dw in gradients[0].items():
        np.testing.assert_allclose(gradients[1][name], dw, rtol=1e-12)


def test_a_training_pass_keeps_its_input_without_a_copy_and_prediction_does_not() -> None:
    layer = Dense(3)
    build([layer], (4,), dtype=np.float64)
    for training in (False, True):
        x = np.ones((5, 4))
        alive = weakref.ref(x)
        layer.forward(x, training=training)
        del x
        assert (alive() is not None) == training


# dead units


def test_a_dead_unit_of_the_first_layer_keeps_its_weights_and_a_leaky_one_does_not() -> None:
    assert train(Dense(1), ReLU(), -1.0, -0.5, steps=20) == (-1.0, -0.5, 0)
    w, b, _ = train(Dense(1), LeakyReLU(), -1.0, -0.5, steps=20)
    assert (w, b) != (-1.0, -0.5)
    assert train(Dense(1), LeakyReLU(0.5), -0.1, -0.1, steps=5)[2] == 2


def test_momentum_that_is_left_moves_the_weights_of_a_dead_unit() -> None:
    killed, later = (train(Dense(1), ReLU(), 1.0, 0.0, steps=n, momentum=0.9) for n in (2, 3))
    assert killed[2] == later[2] == 0
    assert killed[:2] != later[:2]


def test_a_decay_of_weights_and_biases_alike_revives_no_unit_and_one_of_weights_alone_may() -> None:
    alike = Dense(1, weights_l2=0.5, biases_l2=0.5)
    w, b, active = train(alike, ReLU(), -1.0, 0.9, steps=30)
    assert active == 0
    assert (w, b) == pytest.approx((-(0.9**30), 0.9 * 0.9**30), rel=1e-9)
    for steps, active in ((1, 0), (2, 1)):
        assert train(Dense(1, weights_l2=0.5), ReLU(), -1.0, 0.9, steps=steps)[2] == active


@pytest.mark.parametrize(("rate", "dead"), [(0.05, False), (0.12, True)])
def test_large_steps_kill_units_and_small_ones_do_not(rate: float, dead: bool) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((200, 5))
    network = Sequential([Dense(50), ReLU(), Dense(1)]).build((5,), dtype=np.float64)

    def active() -> Array:
        return np.asarray(network.activations(x)["0.dense"] > 0, np.float64)

    assert active().mean() == pytest.approx(0.5, abs=0.03)
    assert active().any(axis=0).all()  # none is dead at first
    assert not (x @ network.get_weights()[WEIGHTS] - 15.0 > 0).any()  # all are with such biases
    data = Dataset(x, np.sin(x[:, :1]) + x[:, 1:2], ("y",))
    Trainer(
        network, SGD(), rate, epochs=30, batch_size=50, loss=MeanSquaredError(), diagnose=False
    ).fit(data)
    assert (not active().any(axis=0).all()) == dead


# signs and saturation


def test_inputs_of_one_sign_give_the_weights_of_a_unit_gradients_of_one_sign() -> None:
    x = np.random.default_rng(0).standard_normal((1, 200))
    following = Dense(2)
    build([following], (200,), dtype=np.float64)
    shares = {}
    for activation in (ReLU(), Sigmoid(), ELU(), Tanh()):
        following.forward(activation.forward(x), training=True)
        following.backward(np.array([[1.0, -1.0]]))
        up, down = following.gradients["weights"].T
        np.testing.assert_array_equal(up, -down)
        shares[type(activation)] = (up < 0).mean()
    assert shares[ReLU] == shares[Sigmoid] == 0
    assert 0.4 < shares[ELU] == shares[Tanh] < 0.6


@pytest.mark.parametrize(
    ("layer", "sign", "bound"), [(ELU(), -1, 17.33), (Sigmoid(), 1, 16.64)], ids=["elu", "sigmoid"]
)
def test_a_derivative_is_0_in_float32_beyond_the_bound(
    layer: Layer, sign: int, bound: float
) -> None:
    for x, is_zero in ((bound - 0.05, False), (bound + 0.05, True)):  # expm1 differs in last bits
        layer.forward(np.array([[sign * x]], np.float32), training=True)
        dx = layer.backward(np.ones((1, 1), np.float32))
        assert dx is not None
        assert (dx.item() == 0) == is_zero
        assert math.exp(-x) > 2e-8  # the derivative, almost


def test_a_loss_of_the_logit_has_a_gradient_where_that_of_a_sigmoid_is_0() -> None:
    z, t = np.array([[20.0]], np.float32), np.zeros((1, 1), np.float32)
    assert BinaryCrossEntropy()(z, t)[1].item() == pytest.approx(1, rel=1e-6)


def test_fifty_layers_of_sigmoids_leave_less_of_a_gradient_than_fifty_of_tanh() -> None:
    left = {}
    for activation in (Sigmoid, Tanh):
        layers: list[Layer] = []
        for _ in range(50):
            layers += [Dense(64, weights=ScaledNormal(1 / 8)), activation()]
        build(layers, (64,), dtype=np.float64)
        y: Array = np.random.default_rng(0).standard_normal((20, 64))
        for layer in layers:
            y = layer.forward(y, training=True)
        dy = np.random.default_rng(1).standard_normal(y.shape)
        dx: Array = dy
        for layer in reversed(layers):
            through = layer.backward(dx)
            assert through is not None
            dx = through
        left[activation] = float(np.linalg.norm(dx) / np.linalg.norm(dy))
    assert left[Sigmoid] < 1e-30
    assert left[Tanh] == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_is_0_or_the_identity_for_large_inputs_and_nothing_overflows(dtype: type) -> None:
    x: Array = np.array([[-1e38, -1e20, -30.5, 30.5, 1e20, 1e38]], dtype)
    layer = GELU()
    y = layer.forward(x, training=True)
    dx = layer.backward(np.ones_like(x))
    np.testing.assert_array_equal(y, np.where(x > 0, x, 0))
    np.testing.assert_array_equal(dx, x > 0)


def test_the_third_derivatives_of_the_gates_are_equal_for_the_coefficient_of_the_page() -> None:
    a, beta, h = 2 * math.sqrt(2 / math.pi), (4 - math.pi) / (6 * math.pi), 0.01
    assert beta == pytest.approx(0.0455, abs=5e-5)

    def third(gate: Array) -> float:  # odd around 1/2: by values at h and 2h
        return float((gate[1] - 2 * gate[0] + 0.5) / h**3)

    x = np.array([h, 2 * h])
    phi = np.array([(1 + math.erf(each / math.sqrt(2))) / 2 for each in x])
    for coefficient, equal in ((beta, True), (0.044715, False)):
        gate = 1 / (1 + np.exp(-a * (x + coefficient * x**3)))
        assert (abs(third(gate) - third(phi)) < 2e-4) == equal


# dropout


def test_scaling_at_prediction_is_the_same_function_but_learns_more_slowly() -> None:
    generator = np.random.default_rng(0)
    q, rate = 0.75, 0.1
    x, t = generator.standard_normal((50, 6)), generator.standard_normal((50, 3))
    w, dropout = generator.standard_normal((6, 3)), Dropout(1 - q)
    dropped = dropout.forward(x, training=True, rng=np.random.default_rng(0))
    original: Array = q * dropped  # as in the paper: entries are 0 or unchanged
    v = w / q
    np.testing.assert_allclose(original @ v, dropped @ w, rtol=1e-12)
    np.testing.assert_allclose(x @ (q * v), x @ w, rtol=1e-12)

    def step(inputs: Array, weights: Array, rate: float) -> Array:
        return np.asarray(weights - rate * inputs.T @ (inputs @ weights - t) / len(t), np.float64)

    np.testing.assert_allclose(q * step(original, v, rate), step(dropped, w, q**2 * rate))
    assert np.abs(q * step(original, v, rate) - step(dropped, w, rate)).max() > 0.01


def test_the_mean_of_equal_entries_has_less_of_the_noise_of_dropout() -> None:
    y = Dropout(0.5).forward(
        np.full((20_000, 16), 3.0), training=True, rng=np.random.default_rng(0)
    )
    assert y.mean(axis=1).var() == pytest.approx(3.0**2 / 16, rel=0.05)


@pytest.mark.parametrize("rate", [1e-9, 0.3, 0.999999])
def test_the_mean_is_that_of_the_rounded_rate(rate: float) -> None:
    y = Dropout(rate).forward(np.ones((500, 500)), training=True, rng=np.random.default_rng(0))
    dropped = min(max(round(rate * 65_536), 1), 65_535) / 65_536
    assert y.max() * (1 - dropped) == pytest.approx(1, rel=1e-12)
    assert abs((y == 0).mean() - dropped) < 5 * math.sqrt(dropped / y.size)
