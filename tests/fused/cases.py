"""The arguments on which each definition is compared with its compiled version."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tests.fused.helpers import (
    Arguments,
    empty,
    images,
    memory,
    normal,
    shapes,
    special,
    tilings,
    vectors,
    with_gaps,
)

from handloom.data import batches, transforms
from handloom.layers import activations, batch_norm, pooling, winograd
from handloom.losses import binary, cross_entropy
from handloom.optimizers import adagrad, adam, moving_average, proximal, rmsprop, sgd
from handloom.parameters import penalize
from handloom.randomness import Purpose, StepStream, philox
from handloom.reductions import column_sums

Cases = Callable[[np.random.Generator, Any], Iterator[Arguments]]
CASES: dict[Callable[..., Any], Cases] = {}


def cases_of(definition: Callable[..., Any]) -> Callable[[Cases], Cases]:
    """Register a generator of the arguments with which a compiled version is compared."""

    def register(cases: Cases) -> Cases:
        CASES[definition] = cases
        return cases

    return register


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


@cases_of(column_sums)
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
        for given in (inputs, inputs[:, :, ::-1], inputs[::2]):
            for kind in (np.int32, np.int64):
                rows = rng.integers(0, len(given), 33).astype(kind)
                yield [given, rows, np.empty((33, 7, 3), stored)]
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


@cases_of(proximal.proximal_step)
def _(rng: np.random.Generator, real: Any) -> Iterator[Arguments]:
    for w, *_ in vectors(rng, real, 0):
        for threshold in (0.0, 1e-3, 0.7):
            yield [w, threshold, np.empty_like(w)]


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
