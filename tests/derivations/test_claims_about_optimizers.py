"""Statements with a number in the derivations of optimizers and schedules, computed."""

import math
from itertools import pairwise

import numpy as np
import pytest
from tests.helpers.descent import walked

from handloom import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Dense,
    Embedding,
    LinearDecay,
    RMSprop,
    Sequential,
    Warmup,
)
from handloom.initializers import Zeros
from handloom.parameters import Parameters, ParameterSpec
from handloom.schedules import named_schedule


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
    assert abs(walked(Adam(), np.array([7.0]))[-1]) == pytest.approx(1, rel=1e-6)


def test_without_a_corrected_bias_the_twelfth_step_of_adam_would_be_the_largest() -> None:
    sizes = [(1 - 0.9**step) / math.sqrt(1 - 0.999**step) for step in range(1, 1001)]
    assert max(sizes) == sizes[11] == pytest.approx(6.6, abs=0.05)
    assert [sizes[0], sizes[-1]] == pytest.approx([3.2, 1.26], abs=0.05)


def test_a_gradient_that_keeps_its_sign_makes_small_steps_if_its_size_changes() -> None:
    """So Adam's steps are those of a gradient that hardly changes, which the others are not."""
    noise = np.random.default_rng(0).standard_normal(1000)
    for spread, low, high in ((0.1, 0.95, 1.01), (2.0, 0.1, 0.4)):
        steps = -np.diff(walked(Adam(), np.exp(spread * noise)))[200:]
        assert low < steps.mean() < high


def test_noise_moves_a_weight_by_the_whole_rate_first_and_by_a_quarter_later() -> None:
    noise = np.random.default_rng(0).standard_normal((100, 2000))
    sizes = np.sqrt(np.square(np.diff(walked(Adam(), noise), axis=0)).mean(axis=1))
    assert sizes[0] == pytest.approx(1, rel=1e-2)
    assert sizes[-1] == pytest.approx(0.23, abs=0.015)
    alternating = np.diff(walked(Adam(), np.tile([1.0, -1.0], 100)))
    assert abs(alternating[-1]) == pytest.approx(1 / 19, rel=1e-6)


def test_epsilon_halves_the_steps_of_gradients_of_its_size() -> None:
    for multiple, step in ((1, 0.5), (100, 0.99)):
        size = abs(walked(Adam(epsilon=1e-7), np.array([multiple * 1e-7]))[-1])
        assert size == pytest.approx(step, abs=1e-3)


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


def test_beside_a_larger_constant_gradient_a_penalty_in_adam_has_no_effect() -> None:
    """Adam's step hardly changes, though the penalty moves the gradient by up to a tenth."""
    plain, penalized = (
        walked(Adam(), np.ones(20), rate=0.1, start=5.0, l2=l2)[-1] for l2 in (0.0, 0.01)
    )
    assert plain == pytest.approx(3.0)
    assert 0 <= penalized - plain < 0.01  # beside noise of this size it would be 0.16


def test_the_spread_of_noise_beside_weight_decay_depends_on_the_rate() -> None:
    """It does so as that of SGD near a minimum does, by the root of the rate."""
    noise = np.random.default_rng(0).standard_normal((200, 1000))
    fast, slow = (
        walked(AdamW(weight_decay=1.0), noise, rate=rate)[-1].std() for rate in (0.1, 0.025)
    )
    assert 1.5 < fast / slow < 2.5


def test_embeddings_have_no_weight_decay() -> None:
    network = Sequential([Embedding({0: 3}, width=2), Dense(2)]).build((2,), seed=0)
    before = {name: w.copy() for name, w in network.parameters.weights.items()}
    SGD(weight_decay=0.5).bind(network.parameters).step(1.0)  # the gradient is 0
    shrunk = [name for name, w in network.parameters.weights.items() if (w != before[name]).any()]
    assert shrunk == ["1.dense.weights"]


def test_weight_decay_without_momentum_is_an_l2_penalty_of_half_the_strength() -> None:
    w, l2, rate = 3.0, 0.02, 0.1
    decayed = walked(SGD(weight_decay=2 * l2), np.array([1.5]), start=w, rate=rate)[-1]
    assert decayed == pytest.approx(w - rate * (1.5 + 2 * l2 * w), rel=1e-12)


def test_half_of_the_rates_of_a_decay_to_zero_are_above_half_of_the_first() -> None:
    for name in ("linear", "cosine"):
        rates = [named_schedule(name, 1.0, 1000)(t) for t in range(1000)]
        assert np.mean(np.array(rates) > 0.5) == pytest.approx(0.5, abs=2e-3)
    assert np.count_nonzero(1 / np.arange(1, 1001) > 0.5) == 1


def test_one_cycle_of_three_steps_has_no_rise() -> None:
    rates = [named_schedule("one-cycle", 1.0, 3)(t) for t in range(3)]
    assert rates[0] > 0.9
    assert rates == sorted(rates, reverse=True)


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
