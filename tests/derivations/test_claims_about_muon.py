"""Statements with a number in the derivation of Muon, computed."""

import math

import numpy as np
import pytest
from tests.helpers.gradients import Float64

from handloom import Muon
from handloom.initializers import Zeros
from handloom.optimizers.muon import COEFFICIENTS, orthogonalize, spectral_scale
from handloom.parameters import Parameters, ParameterSpec


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


def test_matrices_that_muon_leaves_to_adamw_decay_at_the_rate_of_all() -> None:
    specs = {"0.dense.weights": ParameterSpec((1, 1), Zeros())}
    parameters = Parameters(specs, np.float64)
    optimizer = Muon(adam_for=["dense"], weight_decay=0.5).bind(parameters)
    for _ in range(60):
        parameters.gradient[...] = -1.0
        optimizer.step(1.0)
    assert parameters.vector[0] == pytest.approx(0.015 / 0.5, rel=1e-6)
    assert (optimizer.beta2, optimizer.epsilon, Muon().weight_decay) == (0.95, 1e-10, 0.0)


@pytest.mark.parametrize("shape", [(400, 20), (20, 400), (100, 100)])
def test_a_step_of_muon_changes_outputs_by_about_its_rate_for_every_shape(
    shape: tuple[int, int],
) -> None:
    """For inputs of random direction, as a multiple of their root mean square."""
    generator = np.random.default_rng(0)
    step = orthogonalize(generator.standard_normal(shape)) * spectral_scale(*shape)
    x = generator.standard_normal((200, shape[0]))
    assert 0.68 < math.sqrt(np.square(x @ step).mean() / np.square(x).mean()) < 1.21
