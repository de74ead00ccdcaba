"""Optimizers follow their published rules, whatever the size of the vector."""

import copy
from typing import Any

import numpy as np
import pytest
from tests.gradients import Float64, relative_error

from handloom import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Dense,
    ModelError,
    Muon,
    Residual,
    RMSprop,
    Sequential,
)
from handloom.errors import ConfigurationError
from handloom.initializers import Zeros
from handloom.optimizers import OPTIMIZERS, Optimizer, optimizer
from handloom.optimizers.muon import orthogonalize
from handloom.parallel.partition import BLOCK, LANES, UPDATE_SHARED_FROM
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Parameters, ParameterSpec

SIZE = BLOCK + 3  # more than one block, and a remainder


def parameters() -> Parameters:
    made = Parameters({"w": ParameterSpec((SIZE,), Zeros())}, np.float64)
    made.vector[...] = np.random.default_rng(0).standard_normal(SIZE)
    return made


def gradients(steps: int) -> Float64:
    return np.random.default_rng(1).standard_normal((steps, SIZE))


def run(rule: Optimizer, steps: int = 5) -> Float64:
    made = parameters()
    rule.bind(made)
    for step, gradient in enumerate(gradients(steps)):
        made.gradient[...] = gradient
        rule.step(0.1 / (1 + step))
    return made.vector.astype(np.float64)


def test_sgd_is_gradient_descent() -> None:
    w = parameters().vector
    for step, g in enumerate(gradients(5)):
        w = w - 0.1 / (1 + step) * g
    np.testing.assert_allclose(run(SGD()), w, rtol=1e-13)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_keeps_the_rate_inside_the_velocity(nesterov: bool) -> None:
    w, u = parameters().vector, np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        rate = 0.1 / (1 + step)
        u = 0.9 * u - rate * g
        w = w + (0.9 * u - rate * g if nesterov else u)
    np.testing.assert_allclose(run(SGD(momentum=0.9, nesterov=nesterov)), w, rtol=1e-12)


def test_adam_corrects_its_moments_for_their_start_at_zero() -> None:
    w, m, v = parameters().vector, np.zeros(SIZE), np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        m_hat, v_hat = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
        w = w - 0.1 / (1 + step) * m_hat / (np.sqrt(v_hat) + 1e-7)
    np.testing.assert_allclose(run(Adam()), w, rtol=1e-11)


def test_rmsprop_divides_by_the_root_of_a_running_mean_of_squares() -> None:
    w, v = parameters().vector, np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        v = 0.8 * v + 0.2 * g**2
        w = w - 0.1 / (1 + step) * g / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(run(RMSprop(rho=0.8)), w, rtol=1e-11)


def test_adagrad_divides_by_the_root_of_all_squares() -> None:
    w, s = parameters().vector, np.zeros(SIZE)
    for step, g in enumerate(gradients(5)):
        s = s + g**2
        w = w - 0.1 / (1 + step) * g / (np.sqrt(s) + 1e-7)
    np.testing.assert_allclose(run(Adagrad()), w, rtol=1e-11)


SHAPES = {"0.weights": (5, 7), "0.biases": (7,), "1.kernel": (3, 3, 2, 4), "2.weights": (7, 3)}


def shaped(*, elementwise: bool = False) -> Parameters:
    """Return parameters of several layers; the last one may be a gain."""
    specs = {name: ParameterSpec(shape, Zeros()) for name, shape in SHAPES.items()}
    if elementwise:
        specs["2.weights"] = ParameterSpec((7, 3), Zeros(), elementwise=True)
    made = Parameters(specs, np.float64)
    made.vector[...] = np.random.default_rng(0).standard_normal(len(made))
    return made


def drawn(made: Parameters, steps: int) -> Float64:
    return np.random.default_rng(1).standard_normal((steps, len(made)))


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "muon"])
def test_matrices_decay_by_the_rate_beside_the_rule_and_nothing_else_does(name: str) -> None:
    decayed, plain = shaped(elementwise=True), shaped(elementwise=True)
    rules = optimizer(name, weight_decay=0.3).bind(decayed), optimizer(name, weight_decay=0.0)
    rules[1].bind(plain)
    for step, g in enumerate(drawn(decayed, 3)):
        rate = 0.1 / (1 + step)
        before = {name: array.copy() for name, array in decayed.weights.items()}
        plain.vector[...] = decayed.vector
        for made, rule in zip((decayed, plain), rules, strict=True):
            made.gradient[...] = g
            rule.step(rate)
        for array in SHAPES:
            shrinks = array in ("0.weights", "1.kernel")
            expected = plain.weights[array] - (rate * 0.3 * before[array] if shrinks else 0.0)
            np.testing.assert_allclose(decayed.weights[array], expected, rtol=1e-12, atol=1e-15)


def test_adamw_is_adam_that_decays_unless_told_otherwise() -> None:
    vectors = []
    for rule in (AdamW(), Adam(weight_decay=0.01), Adam()):
        made = shaped()
        rule.bind(made)
        for g in drawn(made, 3):
            made.gradient[...] = g
            rule.step(0.1)
        vectors.append(made.vector)
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def newton_schulz(g: Float64, iterations: int) -> Float64:
    """Apply the polynomial to the singular values themselves."""
    u, s, v = np.linalg.svd(g, full_matrices=False)
    s = s / np.sqrt(np.sum(s**2))
    for _ in range(iterations):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return np.asarray(u * s @ v)


@pytest.mark.parametrize("nesterov", [False, True])
def test_muon_makes_the_momentum_of_matrices_orthogonal_and_leaves_the_rest_to_adam(
    nesterov: bool,
) -> None:
    made, beside = shaped(), shaped()
    rule = Muon(
        momentum=0.9, nesterov=nesterov, weight_decay=0.3, adam_rate=0.5, adam_for=["2"]
    ).bind(made)
    adam = Adam(beta1=0.9, beta2=0.95, epsilon=1e-10).bind(beside)
    matrices = {name: made.weights[name].copy() for name in ("0.weights", "1.kernel")}
    means = {name: np.zeros_like(w) for name, w in matrices.items()}
    for step, g in enumerate(drawn(made, 5)):
        rate = 0.1 / (1 + step)
        made.gradient[...] = beside.gradient[...] = g
        rule.step(rate)
        beside.weights["2.weights"] *= 1 - rate * 0.3
        adam.step(0.5 * rate)
        for name, w in matrices.items():
            dw = made.gradients[name]
            means[name] = 0.9 * means[name] + 0.1 * dw
            ahead = 0.9 * means[name] + 0.1 * dw if nesterov else means[name]
            outputs = w.shape[-1]
            move = newton_schulz(ahead.astype(np.float64).reshape(-1, outputs), 5)
            scale = max(1.0, outputs / len(move)) ** 0.5
            w[...] = (1 - rate * 0.3) * w - rate * scale * move.reshape(w.shape)
    for name in SHAPES:
        expected = matrices.get(name, beside.weights[name])
        np.testing.assert_allclose(made.weights[name], expected, rtol=1e-10, atol=1e-12)


def test_muon_leaves_out_a_kind_of_layer_as_it_does_each_by_its_name() -> None:
    found = []
    for names in (["dense"], ["0.dense", "1.residual.block.0.dense"], ["0.dense"]):
        made = Sequential([Dense(4), Residual([Dense(4)])]).build((3,)).parameters
        made.gradient[...] = np.linspace(-1, 1, len(made))
        Muon(adam_for=names).bind(made).step(0.1)
        found.append(made.vector)
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (8, 3), (1, 5), (20, 20)])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_what_is_made_orthogonal_has_singular_values_near_one(
    shape: tuple[int, int], size: float
) -> None:
    g = np.random.default_rng(2).standard_normal(shape).astype(np.float32) * np.float32(size)
    kept = g.copy()
    made = orthogonalize(g)
    u, s, v = np.linalg.svd(g.astype(np.float64) / size, full_matrices=False)
    inner = np.diag(u.T @ made @ v.T)
    begun_above = s / np.sqrt(np.sum(s**2)) > 0.003
    assert (inner[begun_above] > 0.67).all()
    assert (inner < 1.22).all()
    assert relative_error(made, u * inner @ v) < 1e-4  # the same singular vectors
    assert np.array_equal(g, kept)
    assert not orthogonalize(np.zeros(shape)).any()


def test_muon_refuses_to_leave_out_what_is_not_there() -> None:
    with pytest.raises(ModelError, match="layer in adam_for 'dense'"):
        Muon(adam_for=["dense"]).bind(shaped())
    rule = Muon(adam_for=["3.dense"])
    with pytest.raises(ModelError, match=r"layer in adam_for '3.dense'; known are: 0, 1, 2"):
        rule.bind(shaped())
    with pytest.raises(ConfigurationError, match="adam_for must be a sequence of names"):
        Muon(adam_for="2")


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_an_update_shared_by_threads_is_the_update(name: str) -> None:
    """Whatever is cut in pieces is covered once; every rule gets the same gradient twice."""
    rows = UPDATE_SHARED_FROM // 64 + 1
    specs = {
        "weights": ParameterSpec((rows, 64), Zeros()),
        "biases": ParameterSpec((UPDATE_SHARED_FROM + 5,), Zeros()),
    }
    calls: list[int] = []

    class Backwards(Pool):
        lanes = LANES

        def run(self, tasks: Any) -> Any:
            calls.append(len(tasks))
            return [task() for task in reversed(tasks)][::-1]

    vectors = []
    for pool in (SERIAL, Backwards()):
        made = Parameters(specs, np.float32)
        made.vector[...] = np.random.default_rng(3).standard_normal(len(made))
        made.gradient[...] = np.random.default_rng(4).standard_normal(len(made))
        rule = optimizer(name, weight_decay=0.1).bind(made, pool=pool)
        for _ in range(2):
            rule.step(0.01)
        vectors.append(made.vector)
    assert max(calls) > 1
    if name == "muon":  # products that are cut may round differently from whole ones
        np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-3, atol=1e-5)
    else:
        assert np.array_equal(vectors[0], vectors[1])


@pytest.mark.parametrize("make", [SGD, lambda: SGD(momentum=0.9), Adagrad, RMSprop, Adam, AdamW])
def test_state_carries_on_where_it_was_saved(make: type[SGD]) -> None:
    whole = run(make(), steps=6)

    made, first = parameters(), make()
    first.bind(made)
    for step, gradient in enumerate(gradients(6)):
        if step == 3:
            second = make()
            second.bind(made)
            second.load_state_dict(first.state_dict())
            first = second
        made.gradient[...] = gradient
        first.step(0.1 / (1 + step))
    assert np.array_equal(made.vector, whole)


def test_muon_carries_on_where_it_was_saved() -> None:
    whole, cut = shaped(), shaped()
    rule = Muon().bind(whole)
    for g in drawn(whole, 4):
        whole.gradient[...] = g
        rule.step(0.1)
    rule = Muon().bind(cut)
    for step, g in enumerate(drawn(cut, 4)):
        if step == 2:
            state, rule = rule.state_dict(), Muon().bind(cut)
            rule.load_state_dict(state)
        cut.gradient[...] = g
        rule.step(0.1)
    assert np.array_equal(whole.vector, cut.vector)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_options_make_the_same_rule_again(name: str) -> None:
    rule = optimizer(name, weight_decay=0.25)
    assert optimizer(name, **rule.config()).config() == rule.config()


def test_a_state_of_another_rule_is_refused() -> None:
    adam, sgd = Adam().bind(parameters()), SGD(momentum=0.9).bind(parameters())
    with pytest.raises(ModelError, match="first_moment"):
        adam.load_state_dict(sgd.state_dict())


def test_the_gradient_is_not_overwritten() -> None:
    made = parameters()
    rule = Adam().bind(made)
    made.gradient[...] = 1.0
    rule.step(0.1)
    assert np.all(made.gradient == 1.0)


def test_a_step_before_bind_is_refused() -> None:
    with pytest.raises(ModelError, match="bind"):
        SGD().step(0.1)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD(momentum=-0.1), "momentum"),
        (lambda: SGD(momentum=1.0), "momentum"),
        (lambda: Adam(beta1=1.5), "beta1"),
        (lambda: Adam(beta2=-1), "beta2"),
        (lambda: Adam(epsilon=0), "epsilon"),
        (lambda: SGD(nesterov=True), "nesterov"),
        (lambda: SGD(weight_decay=-1), "weight_decay"),
        (lambda: RMSprop(rho=1.0), "rho"),
        (lambda: RMSprop(epsilon=0), "epsilon"),
        (lambda: Adagrad(epsilon=0.0), "epsilon"),
        (lambda: AdamW(weight_decay=float("nan")), "weight_decay"),
        (lambda: Muon(momentum=1.0), "momentum"),
        (lambda: Muon(momentum=0.0), "nesterov"),
        (lambda: Muon(iterations=0), "iterations"),
        (lambda: Muon(adam_rate=0), "adam_rate"),
    ],
)
def test_options_out_of_range_are_refused_by_name(make: type[SGD], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        make()


def test_an_unknown_optimizer_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown optimizer 'adm'.*Did you mean 'adam'"):
        optimizer("adm")


def test_a_copy_keeps_what_it_remembers_and_is_bound_to_nothing() -> None:
    network = Sequential([Dense(3)]).build((2,))
    rule = Adam().bind(network.parameters)
    network.parameters.gradient[:] = 1.0
    rule.step(0.1)
    copied = copy.deepcopy(rule)
    assert copied.steps == 1
    assert np.array_equal(copied.state["first_moment"], rule.state["first_moment"])
    with pytest.raises(ModelError, match="bind the optimizer"):
        copied.step(0.1)
    rule.step(0.1)  # the original goes on
    assert not np.array_equal(copied.state["first_moment"], rule.state["first_moment"])
