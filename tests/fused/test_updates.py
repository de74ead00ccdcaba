"""Many updates agree, and the tiny numbers of a dead unit do not slow them down."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.fused.helpers import TOLERANCE, Arguments, both, needs_numba, normal

from handloom.backend import NUMPY, FusedBackend
from handloom.operations import TINY
from handloom.optimizers import adagrad, adam, moving_average, rmsprop, sgd

FORTY: dict[str, tuple[Callable[..., Any], Callable[[Any, Any, int], Arguments]]] = {
    "sgd": (sgd.sgd_step, lambda a, b, t: [0.01]),
    "momentum": (sgd.momentum_step, lambda a, b, t: [a, 0.01, 0.9, False, t]),
    "nesterov": (sgd.momentum_step, lambda a, b, t: [a, 0.01, 0.9, True, t]),
    "adam": (adam.adam_step, lambda a, b, t: [a, b, 0.01, 0.9, 0.999, 1e-7, t]),
    "rmsprop": (rmsprop.rmsprop_step, lambda a, b, t: [a, 0.01, 0.9, 1e-7, t]),
    "adagrad": (adagrad.adagrad_step, lambda a, b, t: [a, 0.01, 1e-7, t]),
    "lerp": (moving_average.lerp, lambda a, b, t: [0.1, t]),
}
"""Updates, with the arguments after weights and gradient: state, options, the step's number."""


@needs_numba
@pytest.mark.parametrize("name", FORTY)
def test_forty_updates_agree(real: Any, name: str) -> None:
    rng = np.random.default_rng(0)
    start, gradients = normal(rng, real, 1000), normal(rng, real, 40, 1000)
    definition, rest = FORTY[name]
    found = []
    for version in both(definition, real):
        w, a, b, scratch = start.copy(), *np.zeros((3, 1000), real)
        for step, dw in enumerate(gradients, start=1):
            version(w, dw, *rest(a, b, step), scratch)
        found.append((w, a, b))
    for ours, theirs in zip(found[1], found[0], strict=True):
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
        backend.version_of(definition)
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
    adam_step = make().version_of(adam.adam_step)
    w, m, v, scratch = (np.zeros(2, np.float32) for _ in range(4))
    m[:], v[:] = [TINY / 2, 1.0], [TINY / 2, 1.0]
    w[:] = 1e-6
    expected = w.astype(np.float64)
    for step in range(1, 33):
        adam_step(w, np.zeros(2, np.float32), m, v, 1e-3, 0.9, 0.999, 1e-7, step, scratch)
    assert w[0] == np.float32(expected[0])
