"""The proximal step reaches the Lasso's solution, with the same weights at exactly 0."""

import copy

import numpy as np
import pytest
from tests.helpers.gradients import Float64
from tests.helpers.training import BACKENDS
from tests.optimizers.helpers import drawn, shaped

from handloom import SGD, Dataset, Dense, MeanSquaredError, ModelError, Sequential, Trainer
from handloom.optimizers import OPTIMIZERS, optimizer
from handloom.optimizers.proximal import proximal_step

L1, IDLE, USED = 0.1, 17, 3


def lasso_data() -> tuple[Float64, Float64]:
    """Return 200 rows of 20 centered features, of which the first three have an effect."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((200, IDLE + USED))
    x -= x.mean(axis=0)
    y = x[:, :USED] @ [1.0, -2.0, 0.5] + 0.1 * generator.standard_normal(200)
    return x, y - y.mean()


def trained(layer: Dense, steps: SGD, epochs: int = 300, backend: str = "numpy") -> Float64:
    """Return the weights after steps on all rows."""
    x, y = lasso_data()
    network = Sequential([layer]).build((IDLE + USED,), dtype=np.float64)
    loss = MeanSquaredError(0.5)
    Trainer(network, steps, 0.3, epochs=epochs, loss=loss, backend=backend, diagnose=False).fit(
        Dataset(x, y[:, None], ("y",))
    )
    return np.asarray(network.get_weights()["0.dense.weights"][:, 0], np.float64)


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "auto"])
def test_idle_weights_become_exactly_0_as_those_of_a_lasso_do(backend: str) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = lasso_data()
    lasso = linear_model.Lasso(L1, fit_intercept=False, tol=1e-14, max_iter=10_000).fit(x, y).coef_
    assert np.count_nonzero(lasso == 0.0) == IDLE
    w = trained(Dense(1), SGD(proximal_l1=L1), backend=backend)
    assert np.array_equal(w == 0.0, lasso == 0.0)
    np.testing.assert_allclose(w, lasso, rtol=0, atol=1e-9)


def test_a_subgradient_step_reaches_0_in_no_weight() -> None:
    w = trained(Dense(1, weights_l1=L1), SGD())
    assert np.count_nonzero(w == 0.0) == 0
    assert np.abs(w[USED:]).max() < 0.3 * L1  # they move to and fro within a step of 0


def test_momentum_needs_the_strength_divided_by_one_minus_it() -> None:
    plain = trained(Dense(1), SGD(proximal_l1=L1))
    heavy = trained(Dense(1), SGD(momentum=0.5, proximal_l1=L1 / (1 - 0.5)))
    np.testing.assert_allclose(heavy, plain, rtol=0, atol=1e-9)
    assert np.array_equal(heavy == 0.0, plain == 0.0)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.5])
def test_it_is_the_minimum_that_defines_it(threshold: float) -> None:
    """Without a derivative: no point of a fine grid is below it."""
    grid = np.linspace(-3, 3, 6001)
    for w in (-2.0, -0.3, -0.1, 0.0, 0.2, 0.3, 1.7):
        shrunk = np.array([w])
        proximal_step(shrunk, threshold, np.empty(1))
        assert shrunk[0] == pytest.approx(np.sign(w) * max(abs(w) - threshold, 0.0), abs=1e-15)
        values = (grid - w) ** 2 / 2 + threshold * np.abs(grid)
        reached = (shrunk[0] - w) ** 2 / 2 + threshold * abs(shrunk[0])
        assert reached <= values.min() + 1e-12


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_ends_its_step_with_it_for_matrices_alone(name: str) -> None:
    shrunk, other = shaped(elementwise=True), shaped(elementwise=True)
    with_step = optimizer(name, proximal_l1=2.0, weight_decay=0.1).bind(shrunk)
    without = optimizer(name, weight_decay=0.1).bind(other)
    for step, g in enumerate(drawn(shrunk, 3)):
        rate = 0.1 / (1 + step)
        other.vector[...] = shrunk.vector
        for made, steps in ((shrunk, with_step), (other, without)):
            made.gradient[...] = g
            steps.step(rate)
        for array, w in other.weights.items():
            threshold = rate * 2.0 if array in ("0.weights", "1.kernel") else 0.0
            expected = np.sign(w) * np.maximum(np.abs(w) - threshold, 0.0)
            np.testing.assert_allclose(shrunk.weights[array], expected, rtol=0, atol=1e-15)
    assert np.count_nonzero(shrunk.weights["0.weights"] == 0.0) > 0


def test_a_strength_that_is_set_after_binding_applies_from_the_next_step() -> None:
    made = shaped()
    steps = SGD().bind(made)
    made.gradient[...] = 0.0
    steps.proximal_l1 = 1e9
    steps.step(0.1)
    assert not made.weights["0.weights"].any()
    assert made.weights["0.biases"].all()


def test_an_optimizer_that_was_copied_is_bound_to_nothing() -> None:
    copied = copy.deepcopy(SGD(proximal_l1=0.1).bind(shaped()))
    assert copied.config()["proximal_l1"] == 0.1
    with pytest.raises(ModelError, match="bind the optimizer"):
        copied.step(0.1)
