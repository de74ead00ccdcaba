"""The recipes in PyTorch: the same layers, batches, schedule and loss, written as its users do.

With the fused optimizer, tiny numbers flushed, images scaled once beforehand and channels last:
PyTorch at its best on a CPU. Weights start as its layers start them.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from handloom.data.augment import Flip
from handloom.data.dataset import Dataset, Splits
from handloom.recipes.recipe import Recipe
from handloom.training.workers import default_threads


def train(recipe: Recipe, epochs: int, splits: Splits, seed: int) -> list[tuple[float, float]]:
    """Return seconds of training and test accuracy after each epoch."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(default_threads())
    torch.set_flush_denormal(True)
    network = NETWORKS[recipe.name](torch.nn).to(memory_format=torch.channels_last)
    x, y = prepared(splits.train)
    steps = epochs * -(-len(x) // recipe.batch_size)
    rate = recipe.rate(steps)
    optimizer = torch.optim.Adam(network.parameters(), lr=1.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    flips = any(isinstance(change, Flip) for change in recipe.augment)
    curve, seconds = [], 0.0
    for _ in range(epochs):
        network.train()
        started = time.perf_counter()
        for rows in torch.split(torch.randperm(len(x)), recipe.batch_size):
            images = x[rows]
            if flips:
                mirrored = torch.rand(len(rows)) < 0.5
                images[mirrored] = images[mirrored].flip(-1)
            optimizer.zero_grad(set_to_none=True)
            loss(network(images), y[rows]).backward()
            optimizer.step()
            schedule.step()
        seconds += time.perf_counter() - started
        curve.append((seconds, accuracy(network, splits.test)))
    return curve


def prepared(data: Dataset) -> tuple[Any, Any]:
    """Return images from -1 to 1, shape (n, 1, y, x), and classes, as tensors."""
    import torch

    images = (data.inputs[:, None].astype(np.float32) - 127.5) / 127.5
    return torch.from_numpy(images), torch.from_numpy(data.targets.astype(np.int64))


def accuracy(network: Any, data: Dataset) -> float:
    """Return the fraction of rows that a network predicts right."""
    import torch

    x, y = prepared(data)
    network.eval()
    with torch.inference_mode():
        predicted = torch.cat([network(part).argmax(1) for part in torch.split(x, 1000)])
    return float((predicted == y).float().mean())


def mlp_flash(nn: Any) -> Any:
    """Return the network of ``mlp-flash``."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def mlp(nn: Any) -> Any:
    """Return the network of ``mlp``; its batch norm sees the whole batch."""

    def hidden(inputs: int) -> list[Any]:
        return [nn.Linear(inputs, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout(0.3)]

    return nn.Sequential(nn.Flatten(), *hidden(784), *hidden(512), nn.Linear(512, 10))


def cnn_flash(nn: Any) -> Any:
    """Return the network of ``cnn-flash``."""

    def convolution(channels: int, filters: int) -> list[Any]:
        layer = nn.Conv2d(channels, filters, 3, padding="same", bias=False)
        return [layer, nn.BatchNorm2d(filters), nn.ReLU()]

    return nn.Sequential(
        *(*convolution(1, 16), nn.MaxPool2d(2), *convolution(16, 32), nn.MaxPool2d(2)),
        *(*convolution(32, 64), *convolution(64, 64), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Dropout(0.2), nn.Linear(576, 10)),
    )


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "mlp-flash": mlp_flash,
    "mlp": mlp,
    "cnn-flash": cnn_flash,
}
