"""The recipes in PyTorch: the same layers, batches, schedule and loss, written as its users do.

With the fused optimizer, tiny numbers flushed, images scaled once beforehand and channels last:
PyTorch at its best on a CPU.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.torch_optimizers import translated_optimizer
from handloom.data.augment import Augmentation, Flip, Shift
from handloom.data.dataset import Dataset, Splits
from handloom.interop.torch import to_module
from handloom.layers import Softmax
from handloom.parallel.threads import default_threads
from handloom.recipes.recipe import Recipe


def train(recipe: Recipe, epochs: int, splits: Splits, seed: int) -> list[tuple[float, float]]:
    """Return seconds of training and test accuracy after each epoch."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(default_threads())
    torch.set_flush_denormal(True)
    network = translated(torch.nn, recipe).to(memory_format=torch.channels_last)
    x, y = prepared(splits.train)
    steps = epochs * -(-len(x) // recipe.batch_size)
    rate = recipe.rate(steps)
    update = translated_optimizer(recipe.optimizer(), network)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    coins = torch.rand(len(x)) < 0.5
    curve, seconds, taken = [], 0.0, 0
    for epoch in range(epochs):
        network.train()
        started = time.perf_counter()
        for rows in torch.split(torch.randperm(len(x)), recipe.batch_size):
            images = augmented(recipe.augment, x[rows], coins[rows] ^ bool(epoch % 2))
            network.zero_grad(set_to_none=True)
            loss(network(images), y[rows]).backward()
            update(rate(taken))
            taken += 1
        seconds += time.perf_counter() - started
        curve.append((seconds, accuracy(network, splits.test)))
    return curve


def augmented(changes: Sequence[Augmentation], images: Any, alternating: Any) -> Any:
    """Return a batch of images (n, 1, y, x), changed as a recipe says."""
    import torch

    for change in changes:
        match change:
            case Flip():
                mirrored = alternating if change.alternating else torch.rand(len(images)) < 0.5
                images[mirrored] = images[mirrored].flip(-1)
            case Shift():
                far, side = change.pixels, images.shape[-1]
                framed = torch.nn.functional.pad(images, (far, far, far, far), value=-1.0)
                down, across = torch.randint(0, 2 * far + 1, (2, len(images)))
                pixels = torch.arange(side)
                images = framed[
                    torch.arange(len(images))[:, None, None],
                    0,
                    (down[:, None] + pixels)[:, :, None],
                    (across[:, None] + pixels)[:, None, :],
                ][:, None]
            case _:
                raise TypeError(f"no translation of {type(change).__name__} yet")
    return images


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


def translated(nn: Any, recipe: Recipe) -> Any:
    """Return the network of a recipe, layer by layer, for images (n, 1, 28, 28).

    Weights start as PyTorch starts them. Its batch norm sees the whole batch, where ours takes
    groups.
    """
    layers = list(recipe.layers((28, 28), 10))
    if isinstance(layers[-1], Softmax):
        layers.pop()  # the loss takes logits
    return nn.Sequential(nn.Flatten(), *to_module(layers, (784,)))
