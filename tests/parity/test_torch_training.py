"""Whole trainings beside PyTorch's autograd, in float64, where PyTorch is installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import relative_error
from tests.helpers.training import features

from handloom import (
    SGD,
    Adam,
    Dense,
    InverseTimeDecay,
    Sequential,
    Softmax,
    Tanh,
    Trainer,
    silhouettes,
)
from handloom.optimizers import Optimizer
from handloom.schedules import Schedule
from handloom.studies.reference import MODELS, ReferenceModel, network as reference_network

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


def leaves(network: Sequential) -> list[Any]:
    return [
        torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for array in network.parameters.weights.values()
    ]


def flat(arrays: list[Any]) -> Any:
    return np.concatenate([array.detach().numpy().reshape(-1) for array in arrays])


@pytest.mark.parametrize(
    ("optimizer", "theirs"),
    [
        (SGD, lambda p: torch.optim.SGD(p, lr=0.1)),
        # PyTorch keeps the rate outside the velocity; at a constant rate the two are one
        (lambda: SGD(momentum=0.9), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
        (
            lambda: SGD(momentum=0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        ),
        (Adam, lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-7)),
    ],
    ids=["sgd", "momentum", "nesterov", "adam"],
)
def test_a_hundred_steps_of_mini_batches(
    optimizer: Callable[[], Optimizer], theirs: Callable[[Any], Any]
) -> None:
    data = features(200)
    network = Sequential([Dense(8, weights_l2=1e-2), Tanh(), Dense(3), Softmax()])
    network.build((5,), dtype=np.float64)
    arrays = leaves(network)
    w1, b1, w2, b2 = arrays
    torch_optimizer = theirs(arrays)
    options = {"batch_size": 40, "epochs": 20, "shuffle": False}
    Trainer(network, optimizer(), 0.1, **options).fit(data)  # type: ignore[arg-type]

    x, y = torch.tensor(data.inputs), torch.tensor(data.targets)
    for step in range(100):
        rows = slice(40 * (step % 5), 40 * (step % 5) + 40)
        torch_optimizer.zero_grad()
        logits = torch.tanh(x[rows] @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.cross_entropy(logits, y[rows]) + 1e-2 * (w1**2).sum()
        loss.backward()
        torch_optimizer.step()
    assert relative_error(network.parameters.vector, flat(arrays)) < 1e-6


def reference_update(model: ReferenceModel, arrays: list[Any]) -> Callable[[int], None]:
    """Return the notebook's update rule, written with PyTorch's tensors."""
    optimizer, rate = model.optimizer(), model.schedule
    first = [torch.zeros_like(a) for a in arrays]
    second = [torch.zeros_like(a) for a in arrays]

    def update(step: int) -> None:
        with torch.no_grad():
            for a, m, v in zip(arrays, first, second, strict=True):
                if isinstance(optimizer, Adam):
                    m.mul_(optimizer.beta1).add_(a.grad, alpha=1 - optimizer.beta1)
                    v.mul_(optimizer.beta2).add_(a.grad**2, alpha=1 - optimizer.beta2)
                    unbiased = m / (1 - optimizer.beta1 ** (step + 1))
                    spread = torch.sqrt(v / (1 - optimizer.beta2 ** (step + 1)))
                    a.sub_(rate(step) * unbiased / (spread + optimizer.epsilon))
                elif isinstance(optimizer, SGD):
                    m.mul_(optimizer.momentum).sub_(rate(step) * a.grad)
                    a.add_(m)

    return update


@pytest.mark.parametrize("name", list(MODELS))
def test_the_first_twenty_epochs_of_the_reference_study(name: str) -> None:
    model, data = MODELS[name], silhouettes(rows=1500).train
    network = reference_network(model.units).build((784,), dtype=np.float64)
    arrays = leaves(network)
    w1, b1, w2, b2, w3, b3 = arrays
    history = Trainer(network, model.optimizer(), model.schedule, epochs=20).fit(data)

    x = torch.tensor((data.inputs.reshape(len(data), -1).astype(np.float64) - 127.5) / 127.5)
    y = torch.tensor(data.targets)
    update, losses = reference_update(model, arrays), []
    for step in range(20):
        for array in arrays:
            array.grad = None
        hidden = torch.relu(torch.relu(x @ w1 + b1) @ w2 + b2)
        penalty = 5e-4 * ((w1**2).sum() + (b1**2).sum())
        loss = torch.nn.functional.cross_entropy(hidden @ w3 + b3, y) + penalty
        loss.backward()
        losses.append(loss.item())
        update(step)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-9)
    assert relative_error(network.parameters.vector, flat(arrays)) < 1e-9


def test_the_schedule_is_that_of_a_lambda_scheduler() -> None:
    ours: Schedule = InverseTimeDecay(0.3, 0.01)
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=0.3)
    theirs = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 / (1.0 + 0.01 * step))
    for step in range(50):
        assert ours(step) == pytest.approx(theirs.get_last_lr()[0], rel=1e-15)
        optimizer.step()
        theirs.step()
