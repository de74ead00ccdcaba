"""Statements with a number in the derivations of optimizers and schedules, computed."""

import math
from itertools import pairwise

import numpy as np
import pytest
from tests.helpers.gradients import Float64

from handloom import SGD, Adagrad, Adam, AdamW, LinearDecay, Muon, RMSprop, Warmup
from handloom.initializers import Zeros
from handloom.optimizers import Optimizer
from handloom.optimizers.muon import COEFFICIENTS, orthogonalize, spectral_scale
from handloom.parameters import Parameters, ParameterSpec
from handloom.schedules import named_schedule


def walked(
    optimizer: Optimizer, gradients: Float64, start: float = 0.0, rate: float = 1.0
) -> Float64:
    """Return a weight after each step, and before the first."""
    parameters = Parameters({"w": ParameterSpec((1, 1), Zeros())}, np.float64)
    optimizer.bind(parameters)
    parameters.vector[...] = start
    path = [start]
    for gradient in gradients:
        parameters.gradient[...] = gradient
        optimizer.step(rate)
        path.append(float(parameters.vector[0]))
    return np.array(path)


def test_alternating_gradients_leave_momentum_about_half_a_step() -> None:
    steps = np.diff(walked(SGD(momentum=0.9), np.tile([1.0, -1.0], 200)))
    assert abs(steps[-1]) == pytest.approx(1 / 1.9, rel=1e-9)
    assert pytest.approx(0.5, abs=0.03) == 1 / 1.9


def test_the_velocity_keeps_the_rate_of_each_step() -> None:
    """After the rate has fallen to 0, the velocity decreases by the momentum only."""
    parameters = Parameters({"w": ParameterSpec((1,), Zeros())}, np.float64)
    optimizer = SGD(momentum=0.5).bind(parameters)
    parameters.gradient[...] = 1.0
    for rate in (1.0, 0.0, 0.0):
        optimizer.step(rate)
    assert optimizer.state["velocity"][0] == -0.25
    assert parameters.vector[0] == -1.75


def test_a_small_step_decreases_the_loss_by_the_rate_times_the_squared_norm() -> None:
    a = np.array([[3.0, 1.0], [1.0, 2.0]])
    w = np.array([1.0, -2.0])
    dw = a @ w
    after = w - 1e-5 * dw
    decrease = (w @ a @ w - after @ a @ after) / 2
    assert decrease == pytest.approx(1e-5 * dw @ dw, rel=1e-3)


def test_adagrad_costs_a_factor_of_the_root_of_2_at_most() -> None:
    """The bounds of the page follow from this sum, which is at most twice the root."""
    generator = np.random.default_rng(0)
    for g in (generator.standard_normal(1000), np.ones(1000), 1.1 ** np.arange(200.0)):
        squares = np.cumsum(np.square(g))
        assert (np.square(g) / np.sqrt(squares)).sum() <= 2 * math.sqrt(squares[-1])
        distance, total = 3.0, math.sqrt(squares[-1])
        best = min(distance**2 / (2 * a) + a / 2 * total**2 for a in np.geomspace(1e-9, 1e3, 4001))
        assert best == pytest.approx(distance * total, rel=1e-4)
        rate = distance / math.sqrt(2)
        assert distance**2 / (2 * rate) * total + rate * total == pytest.approx(
            math.sqrt(2) * best, rel=1e-4
        )


def test_a_rare_gradient_makes_adagrad_ten_times_larger_steps() -> None:
    dense, rare = np.ones(2000), np.zeros(2000)
    rare[99::100] = 1.0
    steps = [np.abs(np.diff(walked(Adagrad(), g)))[-1] for g in (dense, rare)]
    assert steps[1] / steps[0] == pytest.approx(10, rel=1e-6)


def test_rprop_drifts_by_eight_steps_in_the_example() -> None:
    gradients = np.array([0.1] * 9 + [-0.9])
    assert gradients.sum() == pytest.approx(0, abs=1e-12)
    assert np.sign(gradients).sum() == 8
    assert round(8 / 0.68) == 12


def test_a_first_step_without_a_corrected_bias_is_three_times_the_rate() -> None:
    assert abs(walked(RMSprop(), np.array([7.0]))[-1]) == pytest.approx(1 / math.sqrt(0.1))
    assert 0.1 / math.sqrt(0.001) > 3  # Adam's, without its correction
    assert abs(walked(Adam(), np.array([7.0]))[-1]) == pytest.approx(1, rel=1e-6)


def test_adam_makes_the_same_steps_for_a_loss_times_1000() -> None:
    g = np.random.default_rng(0).standard_normal(50)
    np.testing.assert_allclose(walked(Adam(), 1000 * g), walked(Adam(), g), atol=1e-5)


def test_no_step_of_adam_exceeds_the_bound() -> None:
    bound = 0.1 / math.sqrt(0.001 * (1 - 0.9**2 / 0.999))
    assert bound == pytest.approx(7.3, abs=0.05)
    generator = np.random.default_rng(0)
    for _ in range(10):
        g = generator.standard_normal(300) * np.exp(4 * generator.standard_normal(300))
        assert np.abs(np.diff(walked(Adam(), g))).max() < bound
    sums, largest = 0.0, 0.0
    for step in range(1, 5001):  # the largest ratio of each step, its corrections included
        sums += (0.1 * 0.9 ** (step - 1)) ** 2 / (0.001 * 0.999 ** (step - 1))
        largest = max(largest, math.sqrt(sums * (1 - 0.999**step)) / (1 - 0.9**step))
    assert largest <= bound


def test_no_weight_stays_above_the_bound_of_weight_decay() -> None:
    decay, generator = 0.5, np.random.default_rng(0)
    g = -np.abs(generator.standard_normal(2000) * np.exp(3 * generator.standard_normal(2000)))
    path = walked(AdamW(weight_decay=decay), g, start=50.0, rate=0.1)
    above = np.flatnonzero(path > 7.3 / decay)
    assert (np.diff(path)[above[above < 2000]] < 0).all()
    assert path[-1] < 7.3 / decay


def test_weight_decay_without_momentum_is_an_l2_penalty_of_half_the_strength() -> None:
    w, l2, rate = 3.0, 0.02, 0.1
    decayed = walked(SGD(weight_decay=2 * l2), np.array([1.5]), start=w, rate=rate)[-1]
    assert decayed == pytest.approx(w - rate * (1.5 + 2 * l2 * w), rel=1e-12)


def test_small_singular_values_more_than_triple_and_those_of_newton_grow_by_half() -> None:
    a1, a3, a5 = COEFFICIENTS
    s = np.array([1e-4, 1e-3, 1e-2])
    assert ((a1 * s + a3 * s**3 + a5 * s**5) / s > 3).all()
    np.testing.assert_allclose((1.5 * s - 0.5 * s**3) / s, 1.5, atol=1e-3)
    for _ in range(40):
        s = 1.5 * s - 0.5 * s**3
    np.testing.assert_allclose(s, 1.0, rtol=1e-12)


def test_the_bound_of_steepest_descent_is_reached_by_the_orthogonal_matrix() -> None:
    generator = np.random.default_rng(0)
    dw = generator.standard_normal((6, 4))
    u, s, vt = np.linalg.svd(dw, full_matrices=False)
    assert (dw * (u @ vt)).sum() == pytest.approx(s.sum(), rel=1e-12)
    for _ in range(100):
        x = generator.standard_normal((6, 4))
        assert (dw * x).sum() / np.linalg.norm(x, 2) <= s.sum()
        row = generator.standard_normal(6)
        assert np.linalg.norm(row @ x) <= np.linalg.norm(x, 2) * np.linalg.norm(row) * (1 + 1e-12)


def test_inputs_that_are_orthogonal_to_a_step_of_muon_keep_their_output() -> None:
    parameters = Parameters({"w": ParameterSpec((98, 16), Zeros())}, np.float64)
    optimizer = Muon().bind(parameters)
    generator = np.random.default_rng(0)
    g = generator.standard_normal((98, 16))
    parameters.gradient[...] = g.ravel()
    optimizer.step(1.0)
    idle = np.linalg.svd(g)[0][:, 16:]  # 98 - 16 directions
    np.testing.assert_allclose(idle.T @ parameters.weights["w"], 0, atol=1e-12)
    wide = orthogonalize(generator.standard_normal((5, 40)))  # d <= h: every input moves
    assert np.linalg.svd(wide, compute_uv=False).min() > 0.68


def test_the_products_of_an_iteration_of_muon_take_as_many_multiplications_as_the_page_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[int] = []

    def counting(a: Float64, b: Float64, out: Float64, pool: object) -> Float64:
        counted.append(a.shape[0] * a.shape[1] * b.shape[1])
        return np.matmul(a, b, out=out)

    monkeypatch.setattr("handloom.optimizers.muon.matmul", counting)
    for shape in ((12, 50), (50, 12)):
        counted.clear()
        orthogonalize(np.random.default_rng(0).standard_normal(shape), iterations=1)
        assert sum(counted) == 2 * 12**2 * 50 + 12**3
    d, h, n = 12, 50, 100  # five iterations, as a share of forward, dW and dx
    assert 5 * (2 * d**2 * h + d**3) / (3 * n * d * h) == pytest.approx(
        (10 * d + 5 * d**2 / h) / (3 * n)
    )


def test_the_factor_of_muon_for_a_kernel_is_not_that_of_the_last_two_axes() -> None:
    """For a kernel (3, 3, 1, 36): 9 inputs of a window and 36 filters."""
    parameters = Parameters({"w": ParameterSpec((3, 3, 1, 36), Zeros())}, np.float64)
    optimizer = Muon(momentum=0.0, nesterov=False).bind(parameters)
    g = np.random.default_rng(0).standard_normal((9, 36))
    parameters.gradient[...] = g.ravel()
    optimizer.step(1.0)
    reached = -parameters.vector.reshape(9, 36)
    np.testing.assert_allclose(reached, 2.0 * orthogonalize(g), rtol=1e-9)
    assert spectral_scale(9, 36) == 2.0
    assert spectral_scale(36, 9) == 1.0


def test_the_named_schedules_end_where_the_page_says() -> None:
    steps = 900
    rates = {name: named_schedule(name, 1.0, steps) for name in ("step", "exponential")}
    assert [rates["step"](t) for t in (0, 299, 300, 600)] == pytest.approx([1, 1, 0.1, 0.01])
    assert rates["exponential"](steps) == pytest.approx(0.01)
    one_cycle = named_schedule("one-cycle", 1.0, steps)
    assert one_cycle(0) == pytest.approx(1 / 25)
    assert max(one_cycle(t) for t in range(steps)) == pytest.approx(1.0, abs=1e-4)
    assert one_cycle(269) == pytest.approx(1.0)
    assert one_cycle(steps - 1) == one_cycle(2 * steps) == pytest.approx(1 / 250_000)
    cosine = named_schedule("cosine", 1.0, steps)
    assert cosine(steps - 1) == pytest.approx(2.5 / steps**2, rel=0.02)


def test_the_rates_of_a_warmup_are_equally_spaced_up_to_the_first_of_the_schedule() -> None:
    schedule = Warmup(9, LinearDecay(1.0, 100))
    rises = [after - before for before, after in pairwise(schedule(t) for t in range(10))]
    np.testing.assert_allclose(rises, 0.1, rtol=1e-12)
    assert schedule(0) == pytest.approx(0.1)
    assert schedule(9) == 1.0


def test_a_finite_sum_of_rates_leaves_some_of_the_initial_weight() -> None:
    for power, rest in ((1.0, 0.0), (2.0, 0.2)):
        w = 1.0
        for t in range(1, 20_000):
            w *= 1 - 0.5 / t**power
        assert (w > rest) if rest else (w < 0.01)
