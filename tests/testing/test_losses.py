"""The contract check of losses: correct ones pass, and every broken one is named."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.helpers.own_layers import rows

from handloom import CategoricalCrossEntropy, SoftmaxCrossEntropy
from handloom.layers import softmax
from handloom.losses import Loss, Targets
from handloom.parameters import Array
from handloom.testing import CheckError, check_loss

X = rows(6, 5)
TARGETS = np.array([0, 3, 1, 2, 2, 4])


class Squared:
    """The mean over rows of ``sum (p - t)^2``, with everything that can be done wrong."""

    def __init__(self, **mistakes: bool) -> None:
        self.mistakes = mistakes

    def __call__(
        self,
        predictions: Array,
        targets: Targets,
        weights: Array | None = None,
        *,
        total_weight: float | None = None,
        out: Array | None = None,
    ) -> tuple[float, Array]:
        wrong = self.mistakes.get
        apart = predictions - targets.astype(predictions.dtype)
        losses, gradient = (apart**2).sum(axis=1), 2.0 * apart
        mass = np.ones(len(apart)) if weights is None else weights
        total = float(mass.sum()) if total_weight is None else total_weight
        if wrong("ignores_weights"):
            mass, total = np.ones(len(apart)), float(len(apart))
        if wrong("ignores_total_weight"):
            total = float(mass.sum())
        if wrong("sums") or total == 0.0:
            total = 1.0
        if wrong("overwrites"):
            predictions *= 0.5
        value = float((losses * mass).sum() / total)
        gradient = gradient * mass[:, None] / total
        if wrong("forgets_the_mean"):
            gradient *= total
        if not wrong("upcasts"):
            gradient = gradient.astype(predictions.dtype)
        if out is not None and not wrong("ignores_out"):
            out[...] = gradient
            gradient = out
        return (np.float32(value) if wrong("numpy_value") else value), gradient  # type: ignore[return-value]


def squared(predictions: Array, targets: Targets) -> Array:
    return np.asarray(((predictions - targets) ** 2).sum(axis=1))


@pytest.mark.parametrize(
    ("loss", "predictions", "targets", "reference"),
    [
        (SoftmaxCrossEntropy(), X, TARGETS, lambda z, t: -np.log(softmax(z)[np.arange(6), t])),
        (CategoricalCrossEntropy(), softmax(X), TARGETS, lambda p, t: -np.log(p[range(6), t])),
        (CategoricalCrossEntropy(), softmax(X), np.eye(5), None),
        (Squared(), X, rows(6, 5, seed=1), squared),
    ],
    ids=["from logits", "from probabilities", "one-hot", "squared"],
)
def test_right_losses_keep_the_contract(
    loss: Loss,
    predictions: Array,
    targets: Targets,
    reference: Callable[[Array, Targets], Array] | None,
) -> None:
    fitting = targets if len(targets) == len(predictions) else targets[TARGETS]
    assert check_loss(loss, predictions, fitting, reference).ok


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("sums", "values: without weights the value is"),
        ("numpy_value", "shapes and dtypes: the value must be a float, got float32"),
        ("upcasts", "shapes and dtypes: the gradient must be .* got float64"),
        ("ignores_out", "shapes and dtypes: with out="),
        ("overwrites", "nothing is overwritten: it writes to predictions"),
        ("forgets_the_mean", "gradients: (.|\n)*WRONG: 6 x numeric"),
        ("ignores_weights", "weights of rows: with weights 2 and 0"),
        ("ignores_total_weight", "parts of a batch: .* do not add up"),
    ],
)
def test_a_promise_that_a_loss_breaks_is_named(mistake: str, message: str) -> None:
    with pytest.raises(CheckError, match=message):
        check_loss(Squared(**{mistake: True}), X, rows(6, 5, seed=1), squared)


def test_an_output_activation_that_no_model_has_breaks_the_contract() -> None:
    loss = Squared()
    loss.output_activation = "tanh"  # type: ignore[attr-defined]
    message = "output activation: unknown output_activation 'tanh'; known are: exp, identity"
    with pytest.raises(CheckError, match=message):
        check_loss(loss, X, rows(6, 5, seed=1), squared)
