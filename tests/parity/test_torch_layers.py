"""Activations, dropout and losses beside PyTorch's, in float64, where PyTorch is installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import Float64, relative_error

from handloom import (
    ELU,
    GELU,
    BinaryCrossEntropy,
    Dropout,
    Embedding,
    Huber,
    LeakyReLU,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Tanh,
    build,
)
from handloom.layers import Layer
from handloom.losses import Loss

torch = pytest.importorskip("torch")
functional = torch.nn.functional
pytestmark = pytest.mark.parity

N, D, K = 50, 7, 4
TOLERANCE = 1e-9


def draw(*shape: int, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).standard_normal(shape)


def leaf(array: Float64) -> Any:
    """Return a tensor of ours in float64 that collects a gradient."""
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    ("layer", "theirs"),
    [
        (LeakyReLU(), functional.leaky_relu),
        (LeakyReLU(0.3), lambda x: functional.leaky_relu(x, 0.3)),
        (ELU(), functional.elu),
        (ELU(0.4), lambda x: functional.elu(x, 0.4)),
        (Tanh(), torch.tanh),
        (Sigmoid(), torch.sigmoid),
        (SiLU(), functional.silu),
        (GELU(), lambda x: functional.gelu(x, approximate="tanh")),
    ],
    ids=["leaky", "leaky 0.3", "elu", "elu 0.4", "tanh", "sigmoid", "silu", "gelu"],
)
def test_activations(layer: Layer, theirs: Callable[[Any], Any]) -> None:
    x, dy = 4 * draw(N, D), draw(N, D, seed=1)
    y = layer.forward(x, training=True)
    tensor = leaf(x)
    expected = theirs(tensor)
    expected.backward(torch.tensor(dy))
    assert relative_error(y, expected.detach()) < TOLERANCE
    assert relative_error(layer.backward(dy), tensor.grad) < TOLERANCE  # type: ignore[arg-type]


def test_an_embedding_beside_theirs_and_the_other_columns() -> None:
    layer, x, dy = Embedding({1: 4, 5: 30}, width=3), draw(N, D), draw(N, 6 + D - 2, seed=1)
    indices = np.random.default_rng(2).integers(0, (6, 32), (N, 2))
    x[:, [1, 5]] = indices
    build([layer], (D,), dtype=np.float64)
    y = layer.forward(x, training=True)
    tables = [leaf(np.asarray(layer.weights[f"column_{c}"], np.float64)) for c in (1, 5)]
    rows = leaf(np.delete(x, [1, 5], axis=1))
    vectors = [
        functional.embedding(torch.tensor(own), table)
        for own, table in zip(indices.T, tables, strict=True)
    ]
    expected = torch.cat([*vectors, rows], dim=1)
    expected.backward(torch.tensor(dy))
    dx = layer.backward(dy)
    assert dx is not None
    assert relative_error(y, expected.detach()) < TOLERANCE
    assert relative_error(np.delete(dx, [1, 5], axis=1), rows.grad) < TOLERANCE
    for column, table in zip((1, 5), tables, strict=True):
        assert relative_error(layer.gradients[f"column_{column}"], table.grad) < TOLERANCE


def test_dropout_with_the_same_mask() -> None:
    layer, x, dy = Dropout(0.25), draw(N, D), draw(N, D, seed=1)
    y = layer.forward(x, training=True, rng=np.random.default_rng(2))
    mask = torch.tensor(y != 0.0)
    tensor = leaf(x)
    expected = tensor * mask / 0.75
    expected.backward(torch.tensor(dy))
    assert relative_error(y, expected.detach()) < TOLERANCE
    assert relative_error(layer.backward(dy), tensor.grad) < TOLERANCE  # type: ignore[arg-type]


CLASSES = np.random.default_rng(3).integers(0, K, N)
YES = np.random.default_rng(3).integers(0, 2, (N, K)).astype(np.float64)
COUNTS = np.random.default_rng(3).poisson(2.0, (N, K)).astype(np.float64)


def deviance(z: Any, t: Any) -> Any:
    """Return PyTorch's loss without its constant, and that."""
    return functional.poisson_nll_loss(z, t, reduction="none") + torch.xlogy(t, t) - t


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "targets", "theirs"),
    [
        (
            SoftmaxCrossEntropy(0.1),
            CLASSES,
            lambda z, t: functional.cross_entropy(z, t, reduction="none", label_smoothing=0.1),
        ),
        (
            SoftmaxCrossEntropy(0.1),
            np.eye(K)[CLASSES],
            lambda z, t: functional.cross_entropy(z, t, reduction="none", label_smoothing=0.1),
        ),
        (
            BinaryCrossEntropy(),
            YES,
            lambda z, t: functional.binary_cross_entropy_with_logits(z, t, reduction="none").sum(1),
        ),
        (
            MeanSquaredError(),
            draw(N, K, seed=4),
            lambda z, t: functional.mse_loss(z, t, reduction="none").mean(1),
        ),
        (
            MeanAbsoluteError(),
            draw(N, K, seed=4),
            lambda z, t: functional.l1_loss(z, t, reduction="none").mean(1),
        ),
        (
            Huber(0.7),
            draw(N, K, seed=4),
            lambda z, t: functional.huber_loss(z, t, reduction="none", delta=0.7).mean(1),
        ),
        (Poisson(), COUNTS, lambda z, t: deviance(z, t).sum(1)),
    ],
    ids=["smoothed", "smoothed rows", "binary", "squared", "absolute", "huber", "poisson"],
)
def test_losses(
    loss: Loss, targets: Float64, theirs: Callable[[Any, Any], Any], weighted: bool
) -> None:
    z = 3 * draw(N, K)
    weights = np.arange(1.0, N + 1) if weighted else None
    value, gradient = loss(z, targets, weights)
    tensor = leaf(z)
    share = torch.tensor(np.ones(N) if weights is None else weights)
    expected = (theirs(tensor, torch.tensor(targets)) * share).sum() / share.sum()
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=TOLERANCE)
    assert relative_error(gradient, tensor.grad) < TOLERANCE


@pytest.mark.parametrize(
    ("loss", "targets", "theirs"),
    [
        (MeanSquaredError(), draw(N, K, seed=4), functional.mse_loss),
        (MeanAbsoluteError(), draw(N, K, seed=4), functional.l1_loss),
        (Huber(), draw(N, K, seed=4), functional.huber_loss),
    ],
    ids=["squared", "absolute", "huber"],
)
def test_the_mean_over_rows_and_outputs_is_their_default(
    loss: Loss, targets: Float64, theirs: Callable[[Any, Any], Any]
) -> None:
    z = draw(N, K)
    expected = theirs(torch.tensor(z), torch.tensor(targets)).item()
    assert loss(z, targets)[0] == pytest.approx(expected, rel=TOLERANCE)
