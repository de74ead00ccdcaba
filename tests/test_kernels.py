"""Kernels: the fused ones agree with NumPy's, and neither slows down on tiny numbers."""

import importlib.util
import math
from typing import Any

import numpy as np
import pytest

from handloom.errors import ConfigurationError, MissingExtraError
from handloom.initializers import Zeros
from handloom.kernels import NUMPY, TINY, Kernels
from handloom.parameters import Parameters, ParameterSpec
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


@pytest.mark.parametrize("size", [0, 1, 1024, 3000])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 0.3), (0.2, 0.0), (0.2, 0.3)])
def test_penalties_agree(
    fused: Kernels, real: Any, size: int, shared: bool, l1: float, l2: float
) -> None:
    free = 70_001 if shared else 5  # so many that threads share them, or not
    specs = {
        "w": ParameterSpec((size,), Zeros(), l1, l2),
        "b": ParameterSpec((free,), Zeros()),
        "v": ParameterSpec((3, size), Zeros(), l2=0.1),
    }
    parameters = Parameters(specs, real)
    parameters.vector[...] = draw(real, len(parameters))
    parameters.weights["w"][: size // 3] = 0.0
    slope = draw(real, len(parameters))
    w, v = (parameters.weights[name].astype(np.float64) for name in ("w", "v"))
    expected = Parameters(specs, np.float64)
    expected.gradient[...] = slope
    expected.gradients["w"] += 0.5 * (l1 * np.sign(w) + 2 * l2 * w)
    expected.gradients["v"] += 0.5 * 2 * 0.1 * v
    for kernels in (NUMPY, fused, fused.sharing(lambda calls: [call() for call in calls])):
        parameters.gradient[...] = slope
        penalty, norm = kernels.penalize(parameters, 0.5)
        of_w, of_v = l1 * abs(w).sum() + l2 * (w * w).sum(), 0.1 * (v * v).sum()
        assert penalty == pytest.approx(0.5 * (of_w + of_v), rel=TOLERANCE[real])
        assert norm == pytest.approx(np.linalg.norm(expected.gradient), rel=TOLERANCE[real])
        np.testing.assert_allclose(
            parameters.gradient, expected.gradient, rtol=0, atol=10 * TOLERANCE[real]
        )


@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_norms_are_finite_where_gradients_are(fused: Kernels, real: Any, size: float) -> None:
    parameters = Parameters({"w": ParameterSpec((70_001,), Zeros())}, real)
    for kernels in (NUMPY, fused, fused.sharing(lambda calls: [call() for call in calls])):
        parameters.gradient[...] = size
        _, norm = kernels.penalize(parameters, 1.0)
        assert norm == pytest.approx(size * math.sqrt(70_001), rel=1e-6)
        parameters.gradient[7] = np.nan
        assert not math.isfinite(kernels.penalize(parameters, 1.0)[1])


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


@pytest.mark.parametrize("outputs", [1, 7])
def test_binary_cross_entropy_agrees(fused: Kernels, real: Any, outputs: int) -> None:
    logits = 30 * draw(real, 50, outputs)
    logits[0] = [0.0] * outputs
    logits[1], logits[2] = 1e4, -1e4
    targets = GENERATOR.random((50, outputs)).astype(real)
    found = []
    for kernels in (NUMPY, fused):
        gradient, losses = np.empty_like(logits), np.empty(50)
        kernels.binary_cross_entropy(logits, targets, gradient, losses)
        found.append((gradient, losses))
    agree(real, found[1][0], found[0][0])
    agree(real, found[1][1], found[0][1])
    logits[3], logits[4] = np.nan, -np.inf
    fused.binary_cross_entropy(logits, targets, gradient, losses)
    assert np.isnan(losses[3])
    assert losses[4] == np.inf
    assert np.isnan(gradient[3]).all()


def test_a_logit_that_is_no_number_gives_a_loss_that_is_none(fused: Kernels) -> None:
    logits = np.array([[0.0, np.nan, 1.0], [1.0, 2.0, 3.0]])
    for kernels in (NUMPY, fused):
        gradient, losses = np.empty_like(logits), np.empty(2)
        kernels.softmax_cross_entropy(logits, np.array([0, 1]), gradient, losses)
        assert np.isnan(losses[0])
        assert np.isfinite(losses[1])


@pytest.mark.parametrize(
    "rule", ["descend", "momentum", "nesterov", "adam", "rmsprop", "adagrad", "blend"]
)
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
            elif rule in ("rmsprop", "adagrad"):
                kept, added = (0.9, 0.1) if rule == "rmsprop" else (1.0, 1.0)
                kernels.scaled_descent(w, dw, a, 0.01, kept, added, 1e-7, step, scratch)
            elif rule == "blend":
                kernels.blend(w, dw, 0.1, step, scratch)
            else:
                kernels.momentum(w, dw, a, 0.01, 0.9, rule == "nesterov", step, scratch)
        found.append((w, a, b))
    for ours, theirs in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=50 * TOLERANCE[real], atol=1e-7)


@pytest.mark.parametrize("name", ["numpy", pytest.param("fused", marks=needs_numba)])
def test_what_a_dead_unit_leaves_never_becomes_too_small_to_be_quick(name: str) -> None:
    kernels = choose(name, weights=1, rows=1, steps=1)
    smallest = np.finfo(np.float32).tiny
    w, m, v, u, s, mean, scratch = (np.ones(64, np.float32) for _ in range(7))
    alive = np.zeros(64, np.float32)
    alive[0] = 1e-3  # the others are dead from now on
    for step in range(1, 3000):
        kernels.adam(w, alive, m, v, 1e-3, 0.9, 0.9, 1e-7, step, scratch)
        kernels.momentum(w, alive, u, 1e-3, 0.5, False, step, scratch)
        kernels.scaled_descent(w, alive, s, 1e-3, 0.9, 0.1, 1e-7, step, scratch)
        kernels.blend(mean, alive, 0.1, step, scratch)
        for state in (m, v, u, s, mean):
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
    with pytest.raises(MissingExtraError, match="the extra 'fast'"):
        choose("fused", weights=1, rows=1, steps=1)
    with pytest.raises(ConfigurationError, match=r"Did you mean 'fused'"):
        choose("fusd", weights=1, rows=1, steps=1)


def empty(real: Any, *shape: int) -> Any:
    return np.full(shape, np.nan, real)


@pytest.mark.parametrize("size", [(1, 1), (4, 8), (7, 7), (6, 13)])
@pytest.mark.parametrize("padding", [(1, 1), (0, 2)])
@pytest.mark.parametrize("channels", [1, 5, 16])
def test_winograd_transforms_agree(
    fused: Kernels, real: Any, size: tuple[int, int], padding: tuple[int, int], channels: int
) -> None:
    b, c = 3, channels
    rounding = 1e-3 if real is np.float32 else 1e-12

    def take(_: str, *shape: int) -> Any:
        return empty(real, *shape)

    images = draw(real, b, *size, c)
    down, across = (-(-(length + 2) // 4) for length in size)
    tiles = draw(real, 6, 6, b, down, across, c)
    found = []
    for kernels in (NUMPY, fused):
        inputs, outputs = empty(real, *tiles.shape), empty(real, *images.shape)
        inputs_back, outputs_back = empty(real, *images.shape), empty(real, *tiles.shape)
        kernels.winograd_inputs(images, *padding, inputs, take)
        kernels.winograd_inputs_backward(tiles, *padding, inputs_back, take)
        kernels.winograd_outputs(tiles, outputs, take)
        kernels.winograd_outputs_backward(images, outputs_back, take)
        found.append((inputs, inputs_back, outputs, outputs_back))
        # a transform and its way back are transposes of each other
        close = {"rel": rounding, "abs": rounding * np.sqrt(tiles.size)}
        assert np.vdot(inputs, tiles) == pytest.approx(np.vdot(images, inputs_back), **close)
        assert np.vdot(outputs, images) == pytest.approx(np.vdot(tiles, outputs_back), **close)
    for ours, theirs in zip(found[1], found[0], strict=True):
        agree(real, ours, theirs)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (2, 3), (1, 1)])
def test_max_pooling_agrees(fused: Kernels, real: Any, size: int, stride: int) -> None:
    x = np.round(2 * draw(real, 4, 7, 6, 5))  # with many a tie
    rows, columns = (7 - size) // stride + 1, (6 - size) // stride + 1
    dy = draw(real, 4, rows, columns, 5)
    found = []
    for kernels in (NUMPY, fused):
        y, dx = empty(real, *dy.shape), empty(real, *x.shape)
        kernels.max_pool(x, size, stride, y)
        kernels.max_pool_backward(x, y, dy, size, stride, dx)
        found.append((y, dx))
    agree(real, found[1][0], found[0][0])
    agree(real, found[1][1], found[0][1])


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (3000, 16)])
def test_standardizing_agrees(fused: Kernels, real: Any, shape: tuple[int, int]) -> None:
    x, dy, columns = 10 + draw(real, *shape), draw(real, *shape), draw(real, 4, shape[1])
    found = []
    for kernels in (NUMPY, fused):
        mean, variance, slopes, products = (empty(real, shape[1]) for _ in range(4))
        y, dx = empty(real, *shape), empty(real, *shape)
        kernels.moments(x, mean, variance)
        kernels.standardize(x, mean, columns[0], columns[1], y)
        kernels.standardize_sums(x, dy, columns[0], slopes, products)
        a, b, c = columns[1:]
        kernels.standardize_backward(x, dy, columns[0], a, b, c, dx)
        found.append((mean, variance, y, slopes, products, dx))
    for ours, theirs in zip(found[1], found[0], strict=True):
        agree(real, ours, theirs)
    expected = x.astype(np.float64)
    np.testing.assert_allclose(found[1][0], expected.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found[1][1], expected.var(axis=0), rtol=1e-4, atol=1e-12)


def test_images_with_their_channels_last_in_memory_are_rectified_alike(fused: Kernels) -> None:
    x, dy = (draw(np.float64, 2, 3, 4, 5).transpose(0, 3, 1, 2) for _ in range(2))
    for a, b in ((x, dy), (x[:, ::2], dy[:, ::2]), (x, np.ascontiguousarray(dy))):
        found = []
        for kernels in (NUMPY, fused):
            y, dx = np.empty_like(a), np.empty_like(a)
            kernels.relu(a, y)
            kernels.relu_backward(y, b, dx)
            found.append((y, dx))
        assert np.array_equal(found[0][0], found[1][0])
        assert np.array_equal(found[0][1], found[1][1])
