"""The contract of every optimizer: its state, its options, threads and copies."""

import copy
from typing import Any

import numpy as np
import pytest
from tests.optimizers.helpers import gradients, parameters, run

from handloom import SGD, Adagrad, Adam, AdamW, Dense, ModelError, Muon, RMSprop, Sequential
from handloom.errors import ConfigurationError
from handloom.initializers import Zeros
from handloom.optimizers import OPTIMIZERS, optimizer
from handloom.parallel.partition import LANES, UPDATE_CUT_WEIGHTS
from handloom.parallel.pool import SERIAL, Pool
from handloom.parameters import Parameters, ParameterSpec


@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.slow
def test_an_update_shared_by_threads_is_the_update(name: str) -> None:
    """Vectors that are cut in pieces are covered once; every rule gets the same gradient twice."""
    rows = UPDATE_CUT_WEIGHTS // 64 + 1
    specs = {
        "weights": ParameterSpec((rows, 64), Zeros()),
        "biases": ParameterSpec((UPDATE_CUT_WEIGHTS + 5,), Zeros()),
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
        rule = optimizer(name, weight_decay=0.1, proximal_l1=0.1).bind(made, pool=pool)
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


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_options_make_the_same_rule_again(name: str) -> None:
    rule = optimizer(name, weight_decay=0.25, proximal_l1=0.125)
    assert optimizer(name, **rule.config()).config() == rule.config()


def test_a_state_of_another_rule_is_refused() -> None:
    adam, sgd = Adam().bind(parameters()), SGD(momentum=0.9).bind(parameters())
    with pytest.raises(ModelError, match="first_moment"):
        adam.load_state_dict(sgd.state_dict())


@pytest.mark.parametrize("steps", [-1, 1.5, None, True])
def test_a_state_with_an_invalid_number_of_steps_is_refused_and_nothing_is_loaded(
    steps: object,
) -> None:
    adam = Adam().bind(parameters())
    state = {name: np.ones_like(vector) for name, vector in adam.state.items()}
    with pytest.raises(ModelError, match="adam: steps must be a whole number of at least 0"):
        adam.load_state_dict({**state, "steps": steps})
    assert not any(vector.any() for vector in adam.state.values())


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
        (lambda: SGD(proximal_l1=-1), "proximal_l1"),
        (lambda: Muon(proximal_l1=float("inf")), "proximal_l1"),
        (lambda: RMSprop(rho=1.0), "rho"),
        (lambda: RMSprop(epsilon=0), "epsilon"),
        (lambda: Adagrad(epsilon=0.0), "epsilon"),
        (lambda: AdamW(weight_decay=float("nan")), "weight_decay"),
        (lambda: Muon(momentum=1.0), "momentum"),
        (lambda: Muon(momentum=0.0), "nesterov"),
        (lambda: Muon(iterations=0), "iterations"),
        (lambda: Muon(adam_rate=0), "adam_rate"),
        (lambda: SGD(momentum=0.9, nesterov="no"), "nesterov must be True or False, got 'no'"),  # type: ignore[arg-type]
        (lambda: SGD(nesterov=None), "nesterov must be True or False, got None"),  # type: ignore[arg-type]
        (lambda: Muon(nesterov="no"), "nesterov must be True or False, got 'no'"),  # type: ignore[arg-type]
        (lambda: Muon(nesterov=2), "nesterov must be True or False, got 2"),  # type: ignore[arg-type]
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


def test_an_optimizer_may_lose_its_momentum_during_training() -> None:
    network = Sequential([Dense(3)]).build((2,))
    optimizer = SGD(momentum=0.9).bind(network.parameters)
    network.parameters.gradient[...] = 1.0
    optimizer.step(0.1)
    optimizer.momentum = 0.0
    before = network.parameters.vector.copy()
    optimizer.step(0.1)
    np.testing.assert_allclose(network.parameters.vector, before - 0.1, rtol=1e-6)


@pytest.mark.parametrize("bound", [False, True])
def test_an_optimizer_without_a_velocity_gets_no_momentum(bound: bool) -> None:
    optimizer = SGD()
    if bound:
        optimizer.bind(parameters())
    optimizer.momentum = 0.0
    with pytest.raises(
        ConfigurationError, match=r"momentum cannot be changed from 0 .*SGD\(moment"
    ):
        optimizer.momentum = 0.9
    assert optimizer.config()["momentum"] == 0.0


def test_a_momentum_may_change_between_steps_to_0_and_back() -> None:
    made = parameters()
    optimizer, w, u = SGD(momentum=0.9).bind(made), made.vector.copy(), np.zeros(len(made))
    for gradient, momentum in zip(gradients(4), (0.9, 0.5, 0.0, 0.7), strict=True):
        optimizer.momentum = momentum
        made.gradient[...] = gradient
        optimizer.step(0.1)
        u = momentum * u - 0.1 * gradient
        w += u
    np.testing.assert_allclose(made.vector, w, rtol=1e-12)


@pytest.mark.parametrize("make", [lambda **o: SGD(momentum=0.9, **o), Muon])
def test_a_bool_of_numpy_is_one(make: type[SGD]) -> None:
    assert make(nesterov=np.True_).config()["nesterov"] is True  # type: ignore[arg-type]
    assert make(nesterov=np.False_).config()["nesterov"] is False  # type: ignore[arg-type]
