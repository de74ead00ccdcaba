"""Kernels: the fused ones agree with NumPy's, and neither slows down on tiny numbers."""

import importlib.util
from typing import Any

import numpy as np
import pytest

from handloom.errors import ConfigurationError, MissingExtraError
from handloom.kernels import NUMPY, TINY, Kernels
from handloom.training.kernel_choice import FUSED_FROM, choose

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra fast"
)
GENERATOR = np.random.default_rng(0)
TOLERANCE: dict[Any, float] = {np.float32: 3e-6, np.float64: 1e-13}


@pytest.fixture(params=[np.float32, np.float64])
def real(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def fused() -> Kernels:
    pytest.importorskip("numba")
    from handloom.fused import FUSED

    return FUSED


def draw(real: Any, *shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype(real)


def agree(real: Any, ours: Any, theirs: Any) -> None:
    scale = float(np.abs(theirs).max()) or 1.0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[real] * scale)


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (7, 5), (300, 33)])
def test_row_kernels_agree(fused: Kernels, real: Any, shape: tuple[int, int]) -> None:
    x, dy = draw(real, *shape), draw(real, *shape)
    found = []
    for kernels in (NUMPY, fused):
        scaled, y, dx = (draw(real, *shape) for _ in range(3))
        sums, biased = draw(real, shape[1]), x.copy()
        kernels.scale((100 * abs(x)).astype(np.uint8), 127.5, 127.5, scaled)
        kernels.relu(x, y)
        kernels.relu_backward(y, dy, dx)
        kernels.sum_rows(dy, sums)
        kernels.add_biases(biased, dy[0] if len(dy) else np.zeros(shape[1], real))
        found.append((scaled, y, dx, sums, biased))
    for ours, theirs in zip(found[1], found[0], strict=True):
        if ours.size:
            agree(real, ours, theirs)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_softmax_cross_entropy_agrees(fused: Kernels, real: Any, classes: int) -> None:
    logits = 30 * draw(real, 50, classes)
    targets = GENERATOR.integers(0, classes, 50)
    found = []
    for kernels in (NUMPY, fused):
        gradient, losses = np.empty_like(logits), draw(real, 50)
        kernels.softmax_cross_entropy(logits, targets, gradient, losses)
        found.append((gradient, losses))
    agree(real, found[1][0], found[0][0])
    agree(real, found[1][1], found[0][1])


def test_a_logit_that_is_no_number_gives_a_loss_that_is_none(fused: Kernels) -> None:
    logits = np.array([[0.0, np.nan, 1.0], [1.0, 2.0, 3.0]])
    for kernels in (NUMPY, fused):
        gradient, losses = np.empty_like(logits), np.empty(2)
        kernels.softmax_cross_entropy(logits, np.array([0, 1]), gradient, losses)
        assert np.isnan(losses[0])
        assert np.isfinite(losses[1])


@pytest.mark.parametrize("rule", ["descend", "momentum", "nesterov", "adam"])
def test_update_rules_agree(fused: Kernels, real: Any, rule: str) -> None:
    start, gradients = draw(real, 1000), draw(real, 40, 1000)
    found = []
    for kernels in (NUMPY, fused):
        w, a, b, scratch = start.copy(), *(0 * draw(real, 1000) for _ in range(3))
        for step, dw in enumerate(gradients, start=1):
            if rule == "descend":
                kernels.descend(w, dw, 0.01, scratch)
            elif rule == "adam":
                kernels.adam(w, dw, a, b, 0.01, 0.9, 0.999, 1e-7, step, scratch)
            else:
                kernels.momentum(w, dw, a, 0.01, 0.9, rule == "nesterov", step, scratch)
        found.append((w, a, b))
    for ours, theirs in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=50 * TOLERANCE[real], atol=1e-7)


@pytest.mark.parametrize("name", ["numpy", pytest.param("fused", marks=needs_numba)])
def test_what_a_dead_unit_leaves_never_becomes_too_small_to_be_quick(name: str) -> None:
    kernels = choose(name, weights=1, rows=1, steps=1)
    smallest = np.finfo(np.float32).tiny
    w, m, v, u, scratch = (np.ones(64, np.float32) for _ in range(5))
    alive = np.zeros(64, np.float32)
    alive[0] = 1e-3  # the others are dead from now on
    for step in range(1, 3000):
        kernels.adam(w, alive, m, v, 1e-3, 0.9, 0.9, 1e-7, step, scratch)
        kernels.momentum(w, alive, u, 1e-3, 0.5, False, step, scratch)
        for state in (m, v, u):
            assert not ((state != 0) & (np.abs(state) < smallest)).any()
    assert m[0] > 0
    assert not m[1:].any()


@pytest.mark.parametrize("name", ["numpy", pytest.param("fused", marks=needs_numba)])
def test_flushing_changes_less_than_rounding(name: str) -> None:
    kernels = choose(name, weights=1, rows=1, steps=1)
    w, m, v, scratch = (np.zeros(2, np.float32) for _ in range(4))
    m[:], v[:] = [TINY / 2, 1.0], [TINY / 2, 1.0]
    w[:] = 1e-6
    expected = w.astype(np.float64)
    for step in range(1, 33):
        kernels.adam(w, np.zeros(2, np.float32), m, v, 1e-3, 0.9, 0.999, 1e-7, step, scratch)
    assert w[0] == np.float32(expected[0])


def test_the_rule_looks_at_the_size_of_the_job_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handloom.training.kernel_choice.FUSED_FROM", FUSED_FROM)
    pytest.importorskip("numba")
    assert choose("auto", weights=100_000, rows=60_000, steps=1).name == "numpy"
    assert choose("auto", weights=100_000, rows=600_000, steps=5000).name == "fused"
    assert choose("numpy", weights=100_000, rows=600_000, steps=5000).name == "numpy"
    assert choose("fused", weights=1, rows=1, steps=1).name == "fused"


def test_without_numba_numpy_serves_and_fused_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handloom.training.kernel_choice.find_spec", lambda name: None)
    assert choose("auto", weights=10**6, rows=10**6, steps=10**6).name == "numpy"
    with pytest.raises(MissingExtraError, match=r"handloom\[fast\]"):
        choose("fused", weights=1, rows=1, steps=1)
    with pytest.raises(ConfigurationError, match=r"Did you mean 'fused'"):
        choose("fusd", weights=1, rows=1, steps=1)
