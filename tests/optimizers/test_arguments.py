"""The arguments of optimizers: by keyword, no learning rate, and an epsilon that can be kept."""

import copy
import pickle
from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np
import pytest
from tests.helpers.training import BACKENDS

from handloom import Adagrad, Adam, AdamW, ConfigurationError, Dense, Muon, RMSprop, Sequential
from handloom.backend import choose_backend
from handloom.optimizers import OPTIMIZERS, Optimizer, optimizer
from handloom.parameters import Array

every_optimizer = pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
WITH_EPSILON: list[type[Optimizer]] = [Adagrad, Adam, AdamW, Muon, RMSprop]
if find_spec("sklearn") is not None:  # the estimators need the extra
    from handloom.estimators.solvers import EpsilonHatAdam

    WITH_EPSILON.append(EpsilonHatAdam)


@every_optimizer
def test_a_positional_learning_rate_is_refused_and_its_place_is_named(
    kind: type[Optimizer],
) -> None:
    message = (
        rf"^{kind.__name__} takes keyword arguments only: .*weight_decay, proximal_l1; "
        r"got 0\.001\. "
        r"The learning rate is an argument of Trainer$"
    )
    with pytest.raises(TypeError, match=message):
        kind(1e-3)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["learning_rate", "lr"])
@every_optimizer
def test_a_learning_rate_by_keyword_is_refused_and_its_place_is_named(
    kind: type[Optimizer], name: str
) -> None:
    with pytest.raises(TypeError, match=rf"got {name}\. The learning rate is an argument of T"):
        kind(**{name: 1e-3})
    with pytest.raises(ConfigurationError, match=rf"got {name}\. The learning rate is an argume"):
        optimizer(kind.kind, **{name: 1e-3})


@every_optimizer
def test_an_optimizer_can_be_copied_and_pickled(kind: type[Optimizer]) -> None:
    made = kind(weight_decay=0.25, proximal_l1=0.125)
    for copied in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301
        assert copied.config() == made.config()


def test_an_optimizer_of_ones_own_may_take_positional_arguments() -> None:
    class Signs(Optimizer):
        def __init__(self, share: float, **options: float) -> None:
            super().__init__(**options)
            self.share = share

        def config(self) -> dict[str, object]:
            return {"share": self.share}

        def update(
            self, w: Array, dw: Array, state: Mapping[str, Array], rate: float, scratch: Array
        ) -> None:
            w -= rate * self.share * np.sign(dw)

    assert Signs(0.5, weight_decay=0.1).share == 0.5


@pytest.mark.parametrize("kind", WITH_EPSILON)
@pytest.mark.parametrize("epsilon", [1e-25, 9.9e-13, 0.0, float("nan")])
def test_an_epsilon_too_small_beside_the_squares_that_are_kept_is_refused(
    kind: type[Optimizer], epsilon: float
) -> None:
    with pytest.raises(ConfigurationError, match=r"epsilon must be .* at least 1e-12, got"):
        kind(epsilon=epsilon)  # type: ignore[call-arg]


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "auto"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-10, 1e-13, 1e-15, 1e-17, 1e-20, 1e-30])
@pytest.mark.parametrize("kind", WITH_EPSILON)
def test_tiny_gradients_make_the_steps_of_the_formula_at_the_smallest_epsilon(
    kind: type[Optimizer], size: float, dtype: str, backend: str
) -> None:
    """Squares of gradients that are flushed to zero must not be missed by any step."""
    network = Sequential([Dense(1)]).build((2,), dtype=dtype)
    made = choose_backend(backend, np.dtype(dtype), work=1)
    rule = kind(epsilon=1e-12)  # type: ignore[call-arg]
    rule.bind(network.parameters, made)
    parameters, steps = network.parameters, 20
    parameters.values[:], parameters.gradient[:] = 0.0, size
    for _ in range(steps):
        rule.step(0.01)
    biases = float(parameters.weights["0.dense.biases"][0])
    assert biases == pytest.approx(steps_by_formula(kind, size, steps), rel=2e-3, abs=2e-6)


def steps_by_formula(kind: type[Optimizer], g: float, steps: int) -> float:
    """Return the sum of the steps for a constant gradient, in float64, without flushing."""
    w, m, v, epsilon, rate = 0.0, 0.0, 0.0, 1e-12, 0.01
    beta2 = {RMSprop: 0.9, Muon: 0.95}.get(kind, 0.999)
    for t in range(1, steps + 1):
        m = 0.9 * m + 0.1 * g
        v = v + g * g if kind is Adagrad else beta2 * v + (1 - beta2) * g * g
        if kind in (Adagrad, RMSprop):
            w -= rate * g / (v**0.5 + epsilon)
        else:
            correction = (1 - beta2**t) ** 0.5
            added = epsilon if kind.__name__ == "EpsilonHatAdam" else epsilon * correction
            scale = 0.015 if kind is Muon else 1.0
            w -= scale * rate * correction / (1 - 0.9**t) * m / (v**0.5 + added)
    return w
