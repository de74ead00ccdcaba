"""The compiled losses of logits that are not numbers, and of large counts."""

from typing import Any

import numpy as np
import pytest
from tests.fused.helpers import both, needs_numba

from handloom.backend import FusedBackend
from handloom.losses import Poisson, binary, cross_entropy


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
    version = FusedBackend(real).version_of(binary.binary_cross_entropy)
    logits, targets = np.array([[np.nan], [-np.inf]], real), np.array([[0.5], [0.5]], real)
    gradient, losses = np.empty_like(logits), np.empty(2)
    version(logits, targets, gradient, losses)
    assert np.isnan(losses[0])
    assert losses[1] == np.inf
    assert np.isnan(gradient[0]).all()


@needs_numba
def test_the_poisson_loss_of_a_large_count_keeps_its_digits_in_float32() -> None:
    """Not compiled, which would take longer than all other tests of this file."""
    from handloom.fused.row_losses import POISSON, _error

    dispatcher: Any = _error
    z, t = np.log([[1e7 + 3000.0]], dtype=np.float32), np.array([[1e7]], np.float32)
    gradient, logit = np.empty_like(z), float(z[0, 0])
    exact = np.exp(logit) - 1e7 - 1e7 * (logit - np.log(1e7))
    assert dispatcher.py_func(POISSON, 0.0, z, 0, t, 0, gradient) == pytest.approx(exact, rel=1e-6)
    np.testing.assert_array_equal(gradient, Poisson()(z, t)[1])
