"""A logit that is not a number gives a loss that is none."""

from typing import Any

import numpy as np
from tests.fused.helpers import both, needs_numba

from handloom.backend import FusedBackend
from handloom.losses import binary, cross_entropy


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
