"""Every compiled version agrees with its definition, for special values and all memory layouts."""

import ast
import importlib
import importlib.util
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handloom
from handloom.backend import NUMPY, FusedBackend
from handloom.data import batches, transforms
from handloom.layers import activations, batch_norm, pooling, winograd
from handloom.losses import binary, cross_entropy
from handloom.operations import TINY
from handloom.optimizers import adagrad, adam, moving_average, rmsprop, sgd
from handloom.parameters import l2_norm, penalize
from handloom.randomness import Purpose, StepStream, philox
from handloom.reductions import sum_rows

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="needs the extra fast"
)
TOLERANCE: dict[Any, float] = {np.float32: 3e-6, np.float64: 1e-13}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf, np.nan]

Arguments = list[Any]
Cases = Callable[[np.random.Generator, Any], Iterator[Arguments]]
CASES: dict[Callable[..., Any], Cases] = {}


@pytest.fixture(params=[np.float32, np.float64])
def real(request: pytest.FixtureRequest) -> Any:
    return request.param


def cases_of(definition: Callable[..., Any]) -> Callable[[Cases], Cases]:
    """Register what yields the arguments with which a compiled version is compared."""

    def register(cases: Cases) -> Cases:
        CASES[definition] = cases
        return cases

    return register


# random arrays


def normal(rng: np.random.Generator, real: Any, *shape: int, scale: float = 1.0) -> Any:
    return (scale * rng.standard_normal(shape)).astype(real)


def special(rng: np.random.Generator, real: Any, *shape: int) -> Any:
    """Return normally distributed values with special ones among them."""
    x = normal(rng, real, *shape)
    chosen = rng.random(shape) < 0.3
    with np.errstate(over="ignore"):
        x[chosen] = rng.choice(SPECIAL, int(chosen.sum())).astype(real)
    return x


def with_gaps(x: Any) -> Any:
    """Return the same values with others between them in memory."""
    apart = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    apart[..., ::2] = x
    return apart[..., ::2]


def sizes(rng: np.random.Generator) -> list[int]:
    return [0, 1, int(rng.integers(2, 200)), 5000]


def shapes(rng: np.random.Generator) -> list[tuple[int, int]]:
    return [(1, 1), (3, 10), (int(rng.integers(2, 90)), int(rng.integers(2, 40))), (300, 33)]


# what each is compared on


@cases_of(activations.relu)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for shape in shapes(rng):
        yield [special(rng, real, *shape), np.empty(shape, real)]
    images = special(rng, real, 3, 4, 5, 2).transpose(0, 3, 1, 2)  # channels last in memory
    yield [images, np.empty_like(images)]
    yield [images, np.empty(images.shape, real)]
    yield [images[:, ::2], np.empty_like(images)[:, ::2]]
    yield [with_gaps(special(rng, real, 4, 5)), np.empty((4, 5), real)]


@cases_of(activations.relu_backward)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for shape in shapes(rng):
        yield [special(rng, real, *shape), normal(rng, real, *shape), np.empty(shape, real)]
    y, dy = special(rng, real, 3, 4, 5, 2), normal(rng, real, 3, 4, 5, 2)
    y, dy = (images.transpose(0, 3, 1, 2) for images in (y, dy))
    for a, b in ((y, dy), (y[:, ::2], dy[:, ::2]), (y, np.ascontiguousarray(dy))):
        yield [a, b, np.empty_like(a)]
        yield [a, b, with_gaps(np.empty(a.shape, real))]


@cases_of(sum_rows)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for n, h in [(0, 5), *shapes(rng)]:
        yield [normal(rng, real, n, h), np.empty(h, real)]
        yield [with_gaps(normal(rng, real, n, h)), np.empty(h, real)]
    x = normal(rng, real, 6, 3)
    x[1], x[2, 1] = [np.nan, 1e30, np.inf], 0.0
    yield [x, np.empty(3, real)]


@cases_of(transforms.scale_rows)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for n, d in [(0, 5), *shapes(rng)]:
        stored = rng.integers(0, 256, (n, d), dtype=np.uint8)
        yield [stored, 127.5, 127.5, np.empty((n, d), real)]
        yield [with_gaps(stored), 0.0, 255.0, with_gaps(np.empty((n, d), real))]
        yield [special(rng, real, n, d), 0.5, -3.0, np.empty((n, d), real)]


@cases_of(batches.gather_rows)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for stored in (np.uint8, real):
        inputs = rng.integers(0, 256, (50, 7, 3)).astype(stored)
        for source in (inputs, inputs[:, :, ::-1], inputs[::2]):
            for kind in (np.int32, np.int64):
                rows = rng.integers(0, len(source), 33).astype(kind)
                yield [source, rows, np.empty((33, 7, 3), stored)]
    yield [special(rng, real, 9, 4), rng.integers(0, 9, 20), np.empty((20, 4), real, order="F")]


@cases_of(penalize)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for size in (1, 1024, 3000, 5003):
        ends = np.sort(rng.integers(0, size + 1, 6)).reshape(3, 2)  # some may be empty
        strengths = np.array([[0.0, 0.3], [0.2, 0.0], [0.2, 0.3]])
        w = normal(rng, real, size)
        w[rng.random(size) < 0.3] = 0.0
        yield [w, normal(rng, real, size), ends, strengths]
        w = w.copy()
        w[size // 2] = np.nan
        yield [w, normal(rng, real, size), np.array([[0, size]]), strengths[1:2]]
    none = np.empty((0, 2))
    yield [normal(rng, real, 9), special(rng, real, 9), none.astype(np.int64), none]


@cases_of(cross_entropy.softmax_cross_entropy)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for k in (1, 2, 10, 100):
        for logits in (normal(rng, real, 50, k, scale=30.0), special(rng, real, 50, k)):
            targets = rng.integers(0, k, 50)
            yield [logits, targets, np.empty((50, k), real), np.empty(50, real)]
            yield [
                with_gaps(logits),
                targets,
                with_gaps(np.empty((50, k), real)),
                np.empty(50, real),
            ]


@cases_of(binary.binary_cross_entropy)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for k in (1, 7):
        targets = rng.random((50, k)).astype(real)
        edge = normal(rng, real, 50, k)
        edge[:5] = np.array([0.0, 1e4, -1e4, np.nan, -0.0])[:, None]
        for logits in (normal(rng, real, 50, k, scale=30.0), edge):
            yield [logits, targets, np.empty((50, k), real), np.empty(50)]
            yield [with_gaps(logits), targets, np.empty((50, k), real), np.empty(50)]


def images(rng: np.random.Generator, real: Any) -> Any:
    x = np.round(2 * normal(rng, real, 4, 7, 6, 5))  # with many a tie
    x[0, 2, 3, 1], x[1, 0, 0, 0] = np.nan, np.inf
    return x


@cases_of(pooling.max_pool)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for size, stride in ((2, 2), (3, 2), (2, 3), (1, 1), (2, 1)):
        x = images(rng, real)
        out = np.empty((4, (7 - size) // stride + 1, (6 - size) // stride + 1, 5), real)
        yield [x, size, stride, out]
        yield [with_gaps(x), size, stride, out]


@cases_of(pooling.max_pool_backward)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for size, stride in ((2, 2), (3, 2), (2, 3), (1, 1), (2, 1)):
        x = images(rng, real)
        y = np.empty((4, (7 - size) // stride + 1, (6 - size) // stride + 1, 5), real)
        pooling.max_pool(x, size, stride, y)
        yield [x, y, normal(rng, real, *y.shape), size, stride, np.empty_like(x)]
        yield [x, y, with_gaps(normal(rng, real, *y.shape)), size, stride, np.empty_like(x)]


@cases_of(batch_norm.moments)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for m, c in [*shapes(rng), (3000, 16)]:
        yield [10 + normal(rng, real, m, c), np.empty(c, real), np.empty(c, real)]
    x = normal(rng, real, 70, 3)
    x[3, 0], x[5, 1] = np.nan, np.inf
    yield [x, np.empty(3, real), np.empty(3, real)]


@cases_of(batch_norm.standardize)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for m, c in shapes(rng):
        columns = normal(rng, real, 3, c)
        yield [special(rng, real, m, c), *columns, np.empty((m, c), real)]
        yield [with_gaps(special(rng, real, m, c)), *columns, np.empty((m, c), real)]


@cases_of(batch_norm.standardize_sums)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for m, c in [*shapes(rng), (3000, 16)]:
        x, dy = 10 + normal(rng, real, m, c), normal(rng, real, m, c)
        yield [x, dy, x.mean(axis=0), np.empty(c, real), np.empty(c, real)]
        dy = dy.copy()
        dy[0, 0] = np.nan
        yield [x, dy, x.mean(axis=0), np.empty(c, real), np.empty(c, real)]


@cases_of(batch_norm.standardize_backward)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for m, c in shapes(rng):
        mean, *columns = normal(rng, real, 4, c)
        yield [normal(rng, real, m, c), normal(rng, real, m, c), mean, *columns, empty(real, m, c)]
        yield [normal(rng, real, m, c), special(rng, real, m, c), mean, *columns, empty(real, m, c)]


def empty(real: Any, *shape: int) -> Any:
    return np.full(shape, np.nan, real)


def tilings(rng: np.random.Generator, real: Any) -> Iterator[tuple[Any, Any, int, int]]:
    """Yield images, tiles for them, and the zeros above and to the left."""
    for (y, x), (top, left), c in itertools.product(
        ((1, 1), (4, 8), (7, 7), (6, 13)), ((1, 1), (0, 2)), (1, 5, 16)
    ):
        down, across = -(-(y + 2) // 4), -(-(x + 2) // 4)
        tiles = normal(rng, real, 6, 6, 3, down, across, c)
        yield normal(rng, real, 3, y, x, c), tiles, top, left


@cases_of(winograd.transform_inputs)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for x, tiles, top, left in tilings(rng, real):
        yield [x, top, left, empty(real, *tiles.shape)]


@cases_of(winograd.transform_inputs_backward)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for x, tiles, top, left in tilings(rng, real):
        yield [tiles, top, left, empty(real, *x.shape)]


@cases_of(winograd.transform_outputs)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for x, tiles, _, _ in tilings(rng, real):
        yield [tiles, empty(real, *x.shape)]


@cases_of(winograd.transform_outputs_backward)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for x, tiles, _, _ in tilings(rng, real):
        yield [x, empty(real, *tiles.shape)]


def memory(real: Any, together: int, c: int) -> Any:
    return empty(real, 6, 6, together, 2, 3, c)


@cases_of(winograd.winograd_forward)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for n, together, c, f in ((1, 1, 2, 3), (7, 3, 4, 2), (5, 8, 3, 3)):
        x, u = normal(rng, real, n, 7, 10, c), normal(rng, real, 36, c, f)
        tiles = memory(real, together, c), memory(real, together, f)
        yield [x, u, 1, 1, *tiles, empty(real, n, 7, 10, f)]
        yield [with_gaps(x), u, 1, 1, *tiles, empty(real, n, 7, 10, f)]


@cases_of(winograd.winograd_backward)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for n, together, c, f in ((1, 1, 2, 3), (7, 3, 4, 2), (5, 8, 3, 3)):
        x, back = normal(rng, real, n, 7, 10, c), normal(rng, real, 36, f, c)
        dy, tiles = (
            normal(rng, real, n, 7, 10, f),
            (memory(real, together, c), memory(real, together, f)),
        )
        dw, dx = normal(rng, real, 36, c, f), empty(real, *x.shape)
        for into in ((dw, dx), (None, dx), (dw, None)):
            yield [x, back, dy, 1, 1, *tiles, *into]


def vectors(rng: np.random.Generator, real: Any, state: int) -> Iterator[list[Any]]:
    """Yield weights, gradients and non-negative state vectors."""
    for size in sizes(rng):
        for draw in (normal, special):
            yield [
                normal(rng, real, size),
                draw(rng, real, size),
                *(abs(normal(rng, real, size)) for _ in range(state)),
            ]
    yield [with_gaps(normal(rng, real, 40)) for _ in range(2)] + [
        with_gaps(abs(normal(rng, real, 40))) for _ in range(state)
    ]
    tiny = np.array([TINY / 2, -TINY / 2, TINY * 2, 0.0, -0.0, 1e-40, 1e-45], real)
    yield [normal(rng, real, 7), tiny, *(abs(tiny) for _ in range(state))]


@cases_of(sgd.sgd_step)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for w, dw in vectors(rng, real, 0):
        yield [w, dw, 0.01, np.empty_like(w)]


@cases_of(sgd.momentum_step)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for nesterov in (False, True):
        for w, dw, u in vectors(rng, real, 1):
            yield [w, dw, u, 0.01, 0.9, nesterov, 8, np.empty_like(w)]


@cases_of(adam.adam_step)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for step in (1, 8, 4000):
        for w, dw, m, v in vectors(rng, real, 2):
            yield [w, dw, m, v, 0.01, 0.9, 0.999, 1e-7, step, np.empty_like(w)]


@cases_of(rmsprop.rmsprop_step)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for w, dw, v in vectors(rng, real, 1):
        yield [w, dw, v, 0.01, 0.9, 1e-7, 8, np.empty_like(w)]


@cases_of(adagrad.adagrad_step)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for w, dw, s in vectors(rng, real, 1):
        yield [w, dw, s, 0.01, 1e-7, 8, np.empty_like(w)]


@cases_of(moving_average.lerp)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for mean, x in vectors(rng, real, 0):
        yield [mean, x, 0.1, 8, np.empty_like(mean)]


@cases_of(philox)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for seed in (0, 1, 2**70):
        stream = StepStream(seed, Purpose.LAYER, tuple(rng.integers(0, 2**32, 4).tolist()))
        for size in (0, 1, 4, 5, 1000):
            yield [stream.key(), stream.counter(), np.zeros(size, np.uint64)]
    full = np.full(4, 2**64 - 1, np.uint64)  # the counter runs over, word after word
    yield [rng.integers(0, 2**64, 2, np.uint64), full, np.zeros(9, np.uint64)]


# the comparison


def copy_arguments(arguments: Sequence[Any]) -> Arguments:
    """Return arguments with arrays of their own, in the same memory layout."""
    return [copy_of(each) if isinstance(each, np.ndarray) else each for each in arguments]


def copy_of(array: Any) -> Any:
    """Return an array in memory of its own, with the same strides."""
    low, high = np.lib.array_utils.byte_bounds(array)
    memory = np.zeros(max(high - low, 1), np.uint8)
    start = array.ctypes.data - low
    copied: Any = np.ndarray(array.shape, array.dtype, memory.data, start, array.strides)
    copied[...] = array
    return copied


EXACT = (
    activations.relu,
    activations.relu_backward,
    pooling.max_pool,
    batches.gather_rows,
    philox,
)
"""Definitions that only select values: their versions agree to the bit."""

OPTIMIZERS = ("handloom.optimizers",)
"""Where `TINY` counts as zero; elsewhere what is below the smallest normal number does."""


def settled(x: Any, smallest: float) -> Any:
    """Return an array with entries as zeros that count as zero: NumPy flushes them now and then."""
    return np.where(np.abs(x) < smallest, 0.0, x) if x.dtype.kind == "f" else x


def agree(definition: Callable[..., Any], real: Any, ours: Any, theirs: Any) -> None:
    """Refuse values that differ by more than rounding, beside the largest of usual size."""
    smallest = TINY if definition.__module__.startswith(OPTIMIZERS) else float(np.finfo(real).tiny)
    ours, theirs = settled(np.asarray(ours), smallest), settled(np.asarray(theirs), smallest)
    if definition in EXACT:
        np.testing.assert_array_equal(ours, theirs)
        return
    usual = np.abs(theirs) < 1e10
    scale = float(np.abs(theirs[usual]).max(initial=0.0)) or 1.0
    np.testing.assert_allclose(ours[usual], theirs[usual], rtol=0, atol=TOLERANCE[real] * scale)
    np.testing.assert_allclose(ours[~usual], theirs[~usual], rtol=20 * TOLERANCE[real])


@needs_numba
@pytest.mark.parametrize("definition", CASES, ids=lambda definition: definition.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_compiled_version_agrees_with_its_definition(
    definition: Callable[..., Any], real: Any, seed: int
) -> None:
    compiled = FusedBackend(real).fetch(definition)
    assert compiled is not definition
    for arguments in CASES[definition](np.random.default_rng(seed), real):
        # scratch is memory that a compiled version does not need
        compared = len(arguments) - ("scratch" in definition.__code__.co_varnames)
        expected, actual = copy_arguments(arguments), copy_arguments(arguments)
        with np.errstate(all="ignore"):
            of_definition, of_compiled = definition(*expected), compiled(*actual)
        for ours, theirs in zip(actual[:compared], expected[:compared], strict=True):
            if isinstance(ours, np.ndarray) and not is_workspace(definition, ours):
                agree(definition, real, ours, theirs)
        if of_definition is not None:
            agree(definition, real, of_compiled, of_definition)


def is_workspace(definition: Callable[..., Any], array: Any) -> bool:
    """Return whether an array is scratch memory for tiles."""
    return definition in (winograd.winograd_forward, winograd.winograd_backward) and array.ndim == 6


@needs_numba
def test_every_compiled_version_is_compared() -> None:
    compared = {(definition.__module__, definition.__name__) for definition in CASES}
    assert {name for name, _ in compiled_versions()} == compared


@needs_numba
def test_a_compiled_version_takes_what_its_definition_takes() -> None:
    for (module, name), version in compiled_versions():
        definition = getattr(importlib.import_module(module), name)
        pool = ["pool"] if getattr(version, "splits", False) else []
        assert parameters_of(version) == [*pool, *parameters_of(definition)], name


def compiled_versions() -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield the public functions of files that compile definitions, with the definitions' names."""
    for path in sorted((Path(handloom.__file__).parent / "fused").glob("*.py")):
        module = importlib.import_module(f"handloom.fused.{path.stem}")
        functions = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
        names = {node.name for node in functions if not node.name.startswith("_")} - PROTOCOL
        for name in sorted(names if hasattr(module, "COMPILES") else ()):
            yield (module.COMPILES, name), getattr(module, name)


PROTOCOL = {"rehearse", "available"}
"""The other public functions of compiled files."""


def parameters_of(function: Any) -> list[str]:
    return list(inspect.signature(getattr(function, "py_func", function)).parameters)


# what is promised beyond agreement


def both(definition: Callable[..., Any], real: Any) -> list[Callable[..., Any]]:
    """Return a definition and its compiled version."""
    return [definition, FusedBackend(real).fetch(definition)]


@needs_numba
@pytest.mark.parametrize("size", [0, 1, 1024, 3000])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 0.3), (0.2, 0.0), (0.2, 0.3)])
def test_penalties_are_what_is_written_down(
    real: Any, size: int, shared: bool, l1: float, l2: float
) -> None:
    free = 70_001 if shared else 5  # large enough for lanes to share them, or not
    rng = np.random.default_rng(size)
    spans = np.array([[0, size], [size + free, 4 * size + free]])
    strengths = 0.5 * np.array([[l1, l2], [0.0, 0.1]])
    vector, slope = normal(rng, real, 4 * size + free), normal(rng, real, 4 * size + free)
    vector[: size // 3] = 0.0
    expected = slope.astype(np.float64)
    w, v = (vector[start:stop].astype(np.float64) for start, stop in spans)
    expected[:size] += 0.5 * (l1 * np.sign(w) + 2 * l2 * w)
    expected[size + free :] += 0.5 * 2 * 0.1 * v
    backend = FusedBackend(real)
    with backend.threads(2) as threads:
        for version in (*both(penalize, real), backend.fetch(penalize, threads)):
            gradient = slope.copy()
            penalty, squares = version(vector, gradient, spans, strengths)
            of_w, of_v = l1 * abs(w).sum() + l2 * (w * w).sum(), 0.1 * (v * v).sum()
            assert penalty == pytest.approx(0.5 * (of_w + of_v), rel=TOLERANCE[real])
            norm = l2_norm(gradient, squares)
            assert norm == pytest.approx(np.linalg.norm(expected), rel=TOLERANCE[real])
            np.testing.assert_allclose(gradient, expected, rtol=0, atol=10 * TOLERANCE[real])


@needs_numba
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_norms_are_finite_where_gradients_are(real: Any, size: float) -> None:
    w, none = np.zeros(70_001, real), np.empty((0, 2))
    spans = none.astype(np.int64)
    backend = FusedBackend(real)
    with backend.threads(2) as threads, np.errstate(over="ignore", invalid="ignore"):
        for version in (*both(penalize, real), backend.fetch(penalize, threads)):
            gradient = np.full(70_001, size, real)
            _, squares = version(w, gradient, spans, none)
            assert l2_norm(gradient, squares) == pytest.approx(size * math.sqrt(70_001), rel=1e-6)
            gradient[7] = np.nan
            _, squares = version(w, gradient, spans, none)
            assert not math.isfinite(l2_norm(gradient, squares))


@needs_numba
def test_a_logit_that_is_no_number_gives_a_loss_that_is_none() -> None:
    logits = np.array([[0.0, np.nan, 1.0], [1.0, 2.0, 3.0]])
    for version in both(cross_entropy.softmax_cross_entropy, np.float64):
        gradient, losses = np.empty_like(logits), np.empty(2)
        version(logits, np.array([0, 1]), gradient, losses)
        assert np.isnan(losses[0])
        assert np.isfinite(losses[1])


@needs_numba
def test_a_yes_or_no_that_is_no_number_gives_a_loss_that_is_none(real: Any) -> None:
    version = FusedBackend(real).fetch(binary.binary_cross_entropy)
    logits, targets = np.array([[np.nan], [-np.inf]], real), np.array([[0.5], [0.5]], real)
    gradient, losses = np.empty_like(logits), np.empty(2)
    version(logits, targets, gradient, losses)
    assert np.isnan(losses[0])
    assert losses[1] == np.inf
    assert np.isnan(gradient[0]).all()


FORTY: dict[str, tuple[Callable[..., Any], Callable[[Any, Any, int], Arguments]]] = {
    "sgd": (sgd.sgd_step, lambda a, b, t: [0.01]),
    "momentum": (sgd.momentum_step, lambda a, b, t: [a, 0.01, 0.9, False, t]),
    "nesterov": (sgd.momentum_step, lambda a, b, t: [a, 0.01, 0.9, True, t]),
    "adam": (adam.adam_step, lambda a, b, t: [a, b, 0.01, 0.9, 0.999, 1e-7, t]),
    "rmsprop": (rmsprop.rmsprop_step, lambda a, b, t: [a, 0.01, 0.9, 1e-7, t]),
    "adagrad": (adagrad.adagrad_step, lambda a, b, t: [a, 0.01, 1e-7, t]),
    "lerp": (moving_average.lerp, lambda a, b, t: [0.1, t]),
}
"""Updates, and what each takes after weights and gradient: state, options, the step's number."""


@needs_numba
@pytest.mark.parametrize("name", FORTY)
def test_forty_updates_agree(real: Any, name: str) -> None:
    rng = np.random.default_rng(0)
    start, gradients = normal(rng, real, 1000), normal(rng, real, 40, 1000)
    definition, rest = FORTY[name]
    results = []
    for version in both(definition, real):
        w, a, b, scratch = start.copy(), *np.zeros((3, 1000), real)
        for step, dw in enumerate(gradients, start=1):
            version(w, dw, *rest(a, b, step), scratch)
        results.append((w, a, b))
    for ours, theirs in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=50 * TOLERANCE[real], atol=1e-7)


BACKENDS = [
    pytest.param(lambda: NUMPY, id="numpy"),
    pytest.param(lambda: FusedBackend(np.float32), id="fused", marks=needs_numba),
]


@pytest.mark.parametrize("make", BACKENDS)
def test_what_a_dead_unit_leaves_never_becomes_too_small_to_be_quick(
    make: Callable[[], Any],
) -> None:
    backend = make()
    adam_step, momentum_step, rmsprop_step, lerp = (
        backend.fetch(definition)
        for definition in (
            adam.adam_step,
            sgd.momentum_step,
            rmsprop.rmsprop_step,
            moving_average.lerp,
        )
    )
    smallest = np.finfo(np.float32).tiny
    w, m, v, u, s, mean, scratch = (np.ones(64, np.float32) for _ in range(7))
    alive = np.zeros(64, np.float32)
    alive[0] = 1e-3  # the others are dead from now on
    for step in range(1, 3000):
        adam_step(w, alive, m, v, 1e-3, 0.9, 0.9, 1e-7, step, scratch)
        momentum_step(w, alive, u, 1e-3, 0.5, False, step, scratch)
        rmsprop_step(w, alive, s, 1e-3, 0.9, 1e-7, step, scratch)
        lerp(mean, alive, 0.1, step, scratch)
        for state in (m, v, u, s, mean):
            assert not ((state != 0) & (np.abs(state) < smallest)).any()
    assert m[0] > 0
    assert not m[1:].any()


@pytest.mark.parametrize("make", BACKENDS)
def test_flushing_changes_less_than_rounding(make: Callable[[], Any]) -> None:
    adam_step = make().fetch(adam.adam_step)
    w, m, v, scratch = (np.zeros(2, np.float32) for _ in range(4))
    m[:], v[:] = [TINY / 2, 1.0], [TINY / 2, 1.0]
    w[:] = 1e-6
    expected = w.astype(np.float64)
    for step in range(1, 33):
        adam_step(w, np.zeros(2, np.float32), m, v, 1e-3, 0.9, 0.999, 1e-7, step, scratch)
    assert w[0] == np.float32(expected[0])


@needs_numba
def test_a_winograd_transform_and_its_way_back_are_transposes(real: Any) -> None:
    rounding = 1e-3 if real is np.float32 else 1e-12
    for x, tiles, top, left in tilings(np.random.default_rng(0), real):
        close: dict[str, Any] = {"rel": rounding, "abs": rounding * np.sqrt(tiles.size)}
        for forward, backward, corner in (
            (winograd.transform_inputs, winograd.transform_inputs_backward, (top, left)),
            (winograd.transform_outputs_backward, winograd.transform_outputs, ()),
        ):
            for there, back in zip(both(forward, real), both(backward, real), strict=True):
                to_tiles, to_images = empty(real, *tiles.shape), empty(real, *x.shape)
                there(x, *corner, to_tiles)
                back(tiles, *corner, to_images)
                assert np.vdot(to_tiles, tiles) == pytest.approx(np.vdot(x, to_images), **close)


@needs_numba
def test_moments_are_those_of_the_columns(real: Any) -> None:
    x = 10 + normal(np.random.default_rng(0), real, 3000, 16)
    for version in both(batch_norm.moments, real):
        mean, variance = np.empty(16, real), np.empty(16, real)
        version(x, mean, variance)
        np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(variance, x.astype(np.float64).var(axis=0), rtol=1e-4)
