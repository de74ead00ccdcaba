"""Layers for images beside PyTorch's, in float64, where PyTorch is installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import relative_error
from tests.helpers.images import draw

from handloom import (
    SGD,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    build,
)
from handloom.parameters import Array

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

TOLERANCE = 1e-9


def leaf(array: object):  # type: ignore[no-untyped-def]
    """Return a tensor of ours in float64 that collects a gradient."""
    return torch.tensor(np.array(array), dtype=torch.float64, requires_grad=True)


def compare(
    layer: Layer, x: Array, theirs: Callable[..., object], turn: Callable[[Array], Array]
) -> None:
    """Compare value and gradients; ``turn`` brings our weights into PyTorch's order."""
    parameters = build([layer], x.shape[1:], dtype=np.float64)
    parameters.vector += 0.3 * draw(len(parameters), seed=5)
    y = layer.forward(x, training=True)
    dy = draw(*y.shape, seed=1)
    dx = layer.backward(dy)
    names = list(layer.gradients)
    tensor, arrays = leaf(x), [leaf(turn(layer.weights[name])) for name in names]
    expected = theirs(tensor, *arrays)
    expected.backward(torch.tensor(dy))  # type: ignore[attr-defined]
    assert relative_error(y, expected.detach()) < TOLERANCE  # type: ignore[attr-defined]
    assert relative_error(dx, tensor.grad) < TOLERANCE  # type: ignore[arg-type]
    for name, array in zip(names, arrays, strict=True):
        assert relative_error(turn(layer.gradients[name]), array.grad) < TOLERANCE


def filters_first(array: Array) -> Array:
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


@pytest.mark.parametrize("channels", [1, 8, 16, 40])
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (5, 1, 0), (1, 2, 0)]
)
def test_convolution(channels: int, size: int, stride: int, padding: int) -> None:
    def theirs(x: object, w: object, b: object) -> object:
        return torch.nn.functional.conv2d(x, w, b, stride=stride, padding=padding)

    layer = Conv2D(24, size, stride=stride, padding=padding)
    compare(layer, draw(9, channels, 11, 14), theirs, filters_first)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1)])
def test_pooling(size: int, stride: int) -> None:
    x, functional = draw(5, 6, 9, 8), torch.nn.functional
    compare(
        MaxPool2D(size, stride=stride),
        x,
        lambda x: functional.max_pool2d(x, size, stride),
        lambda a: a,
    )
    compare(
        AveragePool2D(size, stride=stride),
        x,
        lambda x: functional.avg_pool2d(x, size, stride),
        lambda a: a,
    )


def test_global_average_pooling() -> None:
    theirs = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    compare(GlobalAveragePool2D(), draw(5, 6, 9, 8), theirs, lambda a: a)


@pytest.mark.parametrize("shape", [(12, 5), (6, 4, 5, 3)])
def test_normalization(shape: tuple[int, ...]) -> None:
    x, functional = 2.0 + 3.0 * draw(*shape), torch.nn.functional
    compare(
        BatchNorm(),
        x,
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        lambda a: a,
    )
    compare(
        LayerNorm(),
        x,
        lambda x, w, b: functional.layer_norm(x, shape[1:], w, b),
        lambda a: a,
    )


def test_training_a_small_residual_network() -> None:
    layers = [
        Conv2D(16, 3, padding="same", biases=False),
        BatchNorm(),
        ReLU(),
        Residual([Conv2D(16, 3, padding=1, biases=False), BatchNorm(), ReLU()], [Conv2D(16, 1)]),
        MaxPool2D(2),
        Flatten(),
        Dense(3),
    ]
    network = Sequential(layers).build((2, 6, 6), dtype=np.float64)
    parameters = network.parameters
    tensors = {name: leaf(filters_first(parameters.weights[name])) for name in parameters.gradients}
    a, b, c, d, f, g, h, i, j, k = tensors.values()
    statistics = [(torch.zeros(16).double(), torch.ones(16).double()) for _ in range(2)]
    functional = torch.nn.functional

    def forward(x: Any, training: bool) -> Any:
        x = functional.conv2d(x, a, padding=1)
        x = torch.relu(functional.batch_norm(x, *statistics[0], b, c, training=training))
        y = functional.conv2d(x, d, padding=1)
        y = torch.relu(functional.batch_norm(y, *statistics[1], f, g, training=training))
        y = y + functional.conv2d(x, h, i)
        return functional.max_pool2d(y, 2).flatten(1) @ j + k

    optimizer = SGD(momentum=0.9).bind(parameters)
    theirs = torch.optim.SGD(tensors.values(), lr=0.05, momentum=0.9)
    loss, targets = SoftmaxCrossEntropy(), np.array([0, 1, 2, 0, 1, 2, 0, 1])
    for step in range(5):
        x = draw(8, 2, 6, 6, seed=step)
        _, dlogits = loss(network.forward(x, training=True), targets)
        network.backward(dlogits)
        network.commit_statistics()
        optimizer.step(0.05)
        theirs.zero_grad()
        functional.cross_entropy(forward(torch.tensor(x), True), torch.tensor(targets)).backward()
        theirs.step()
    for name, tensor in tensors.items():
        assert relative_error(filters_first(parameters.weights[name]), tensor.detach()) < TOLERANCE
    x = draw(4, 2, 6, 6, seed=9)
    assert relative_error(network.forward(x), forward(torch.tensor(x), False).detach()) < TOLERANCE
