"""A loss of classes depends on differences of logits: a common shift changes nothing."""

import numpy as np
import pytest
from tests.helpers.training import BACKENDS

from handloom import BinaryCrossEntropy, SoftmaxCrossEntropy
from handloom.backend import choose_backend
from handloom.layers import softmax
from handloom.losses import Loss
from handloom.parameters import Array

N, K = 64, 10
DRAWS = np.random.default_rng(0)
LOGITS = np.round(8.0 * DRAWS.standard_normal((N, K))) / 8.0  # exact at every shift below
CLASSES = DRAWS.integers(0, K, N)
SOFT = DRAWS.dirichlet(np.ones(K), N)
TARGETS = {
    "classes": CLASSES,
    "probabilities": SOFT,
    "rows that do not add up to 1": SOFT * DRAWS.uniform(0.5, 2.0, (N, 1)),
}

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
backends = pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "auto"])
every_target = pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
smoothing = pytest.mark.parametrize("share", [0.0, 0.1])


def on_backend(share: float, backend: str, dtype: str) -> Loss:
    chosen = choose_backend(backend, np.dtype(dtype), work=1)
    return SoftmaxCrossEntropy(share).with_backend(chosen)


@pytest.mark.parametrize("shift", [1e2, -1e2, 1e4, -1e4, 1e6, -1e6])
@smoothing
@every_target
@backends
@dtypes
def test_a_common_shift_of_logits_changes_neither_loss_nor_gradient(
    dtype: str, backend: str, targets: Array, share: float, shift: float
) -> None:
    loss, z = on_backend(share, backend, dtype), LOGITS.astype(dtype)
    weights = np.linspace(0.5, 2.0, N, dtype=dtype)
    value, gradient = loss(z, targets, weights)
    shifted, shifted_gradient = loss(z + np.dtype(dtype).type(shift), targets, weights)
    assert shifted == pytest.approx(value, rel=4 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(
        shifted_gradient, gradient, rtol=0, atol=float(np.finfo(dtype).eps) / N
    )


@smoothing
@every_target
@backends
@dtypes
def test_the_loss_of_shifted_logits_is_that_of_the_formula(
    dtype: str, backend: str, targets: Array, share: float
) -> None:
    z = (DRAWS.standard_normal((N, K)) + 1e4).astype(dtype)  # rounded here, and only here
    value, _ = on_backend(share, backend, dtype)(z, targets)
    wide = z.astype(np.float64) - 1e4
    t = np.eye(K)[targets] if targets.ndim == 1 else targets
    t = (1.0 - share) * t + share / K * t.sum(axis=1, keepdims=True)
    expected = (t * (np.log(np.exp(wide).sum(axis=1, keepdims=True)) - wide)).sum(axis=1).mean()
    assert value == pytest.approx(expected, rel=8 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("shift", [1e4, -1e6])
def test_a_common_shift_of_logits_changes_no_probability(shift: float) -> None:
    z = LOGITS.astype(np.float32)
    assert np.array_equal(softmax(z + np.float32(shift)), softmax(z))


@pytest.mark.parametrize("z", [1e4, -1e4, 1e6, 30.0])
@backends
@dtypes
def test_a_large_logit_keeps_the_small_loss_of_a_target_that_is_nearly_certain(
    dtype: str, backend: str, z: float
) -> None:
    t = np.array([[0.999999 if z > 0 else 1e-6]], dtype)
    chosen = choose_backend(backend, np.dtype(dtype), work=1)
    value, _ = BinaryCrossEntropy().with_backend(chosen)(np.array([[z]], dtype), t)
    wrong = 1.0 - float(t[0, 0]) if z > 0 else float(t[0, 0])
    expected = wrong * abs(z) + np.log1p(np.exp(-abs(z)))
    assert value == pytest.approx(expected, rel=4 * float(np.finfo(dtype).eps))
