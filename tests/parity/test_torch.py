"""Values and gradients beside PyTorch's, in float64, where PyTorch is installed."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.helpers.gradients import Float64, relative_error

from handloom import (
    SGD,
    Adam,
    CategoricalCrossEntropy,
    Dense,
    ReLU,
    Sequential,
    Softmax,
    SoftmaxCrossEntropy,
    build,
)
from handloom.layers import Layer
from handloom.optimizers import Optimizer

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

N, D, H, K = 6, 5, 7, 4
TARGETS = np.array([0, 3, 1, 1, 2, 0])
TOLERANCE = 1e-9


def draw(*shape: int, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).standard_normal(shape)


def leaf(array: object):  # type: ignore[no-untyped-def]
    """Return a tensor of ours in float64 that collects a gradient."""
    return torch.tensor(np.asarray(array), dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    ("layer", "theirs"),
    [(ReLU(), torch.relu), (Softmax(), lambda x: torch.softmax(x, dim=1))],
    ids=["relu", "softmax"],
)
def test_activations(layer: Layer, theirs: Callable[[object], object]) -> None:
    x, dy = draw(N, D), draw(N, D, seed=1)
    y = layer.forward(x, training=True)
    tensor = leaf(x)
    expected = theirs(tensor)
    expected.backward(torch.tensor(dy))  # type: ignore[attr-defined]
    assert relative_error(y, expected.detach()) < TOLERANCE  # type: ignore[attr-defined]
    assert relative_error(layer.backward(dy), tensor.grad) < TOLERANCE  # type: ignore[arg-type]


def test_dense() -> None:
    layer = Dense(H)
    build([layer], (D,), dtype=np.float64)
    layer.weights["biases"][...] = draw(H, seed=2)
    x, dy = draw(N, D), draw(N, H, seed=1)
    y = layer.forward(x, training=True)
    dx = layer.backward(dy)
    tensor, w, b = leaf(x), leaf(layer.weights["weights"]), leaf(layer.weights["biases"])
    expected = tensor @ w + b
    expected.backward(torch.tensor(dy))
    assert relative_error(y, expected.detach()) < TOLERANCE
    assert relative_error(dx, tensor.grad) < TOLERANCE  # type: ignore[arg-type]
    assert relative_error(layer.gradients["weights"], w.grad) < TOLERANCE
    assert relative_error(layer.gradients["biases"], b.grad) < TOLERANCE


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_cross_entropy(one_hot: bool, weighted: bool) -> None:
    logits = 3 * draw(N, K)
    weights = np.arange(1.0, N + 1) if weighted else None
    targets = np.eye(K)[TARGETS] if one_hot else TARGETS
    value, gradient = SoftmaxCrossEntropy()(logits, targets, weights)
    tensor = leaf(logits)
    losses = torch.nn.functional.cross_entropy(tensor, torch.tensor(targets), reduction="none")
    share = torch.tensor(np.ones(N) if weights is None else weights)
    expected = (losses * share).sum() / share.sum()
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=TOLERANCE)
    assert relative_error(gradient, tensor.grad) < TOLERANCE


def test_class_weights_with_smoothing_differ_from_pytorch_as_the_derivation_says() -> None:
    logits = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 3.0]])
    targets, of_classes = np.array([0, 1, 1]), np.array([1.0, 2.0, 4.0])
    ours = SoftmaxCrossEntropy(0.1)(logits, targets, of_classes[targets])[0]
    theirs = torch.nn.functional.cross_entropy(
        leaf(logits), torch.tensor(targets), torch.tensor(of_classes), label_smoothing=0.1
    )
    assert ours == pytest.approx(1.2179, abs=5e-5)
    assert theirs.item() == pytest.approx(1.2607, abs=5e-5)


def test_cross_entropy_of_probabilities() -> None:
    probabilities = Softmax().forward(draw(N, K))
    value, gradient = CategoricalCrossEntropy()(probabilities, TARGETS)
    tensor = leaf(probabilities)
    expected = torch.nn.functional.nll_loss(torch.log(tensor), torch.tensor(TARGETS))
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=TOLERANCE)
    assert relative_error(gradient, tensor.grad) < TOLERANCE


@pytest.mark.parametrize(
    ("optimizer", "theirs"),
    [
        (SGD(), lambda p: torch.optim.SGD(p, lr=0.1)),
        # PyTorch keeps the rate outside the velocity; at a constant rate the two are one
        (SGD(momentum=0.9), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
        (
            SGD(momentum=0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        ),
        (Adam(), lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-7)),
    ],
    ids=["sgd", "momentum", "nesterov", "adam"],
)
def test_training_with_penalty(optimizer: Optimizer, theirs: Callable[[object], object]) -> None:
    strengths = {"weights_l1": 1e-3, "weights_l2": 2e-3, "biases_l1": 3e-3, "biases_l2": 4e-3}
    layers = [Dense(H, **strengths), ReLU(), Dense(K)]  # type: ignore[arg-type]
    network = Sequential(layers).build((D,), dtype=np.float64)
    parameters = network.parameters
    arrays = [leaf(array) for array in parameters.weights.values()]
    w1, b1, w2, b2 = arrays
    x, loss = draw(N, D), SoftmaxCrossEntropy()
    optimizer.bind(parameters)
    torch_optimizer = theirs(arrays)
    for _ in range(20):
        _, dlogits = loss(network.forward(x, training=True), TARGETS)
        network.backward(dlogits)
        parameters.add_penalty_gradient()

        torch_optimizer.zero_grad()  # type: ignore[attr-defined]
        logits = torch.relu(torch.tensor(x) @ w1 + b1) @ w2 + b2
        penalty = 1e-3 * w1.abs().sum() + 2e-3 * (w1**2).sum()
        penalty = penalty + 3e-3 * b1.abs().sum() + 4e-3 * (b1**2).sum()
        (torch.nn.functional.cross_entropy(logits, torch.tensor(TARGETS)) + penalty).backward()
        gradient = np.concatenate([array.grad.numpy().reshape(-1) for array in arrays])
        assert relative_error(parameters.gradient, gradient) < TOLERANCE

        optimizer.step(0.1)
        torch_optimizer.step()  # type: ignore[attr-defined]
    reached = np.concatenate([array.detach().numpy().reshape(-1) for array in arrays])
    assert relative_error(parameters.vector, reached) < TOLERANCE
