"""The recipes as PyTorch trains them in the benchmark: the same networks, the same images."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import relative_error

from handloom import Sequential
from handloom.data.augment import Augmentation, Flip, Shift
from handloom.parameters import Array
from handloom.recipes.recipe import Recipe
from handloom.recipes.registry import RECIPES

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

from benchmarks.torch_optimizers import translated_optimizer  # noqa: E402  (after the skip)
from benchmarks.torch_recipes import augmented, translated  # noqa: E402

EACH = pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
GENERATOR = np.random.default_rng(0)


def copy_weights(network: Sequential, module: Any) -> None:
    """Give a module our weights, array by array, in the order in which both declare them."""
    for tensor, (_, array) in zip(module.parameters(), trained_arrays(network), strict=True):
        tensor.data.copy_(torch.from_numpy(turned(array)))


def trained_arrays(network: Sequential) -> list[tuple[str, Array]]:
    """Return our arrays by name, but for running statistics."""
    return [
        (name, array)
        for name, array in network.parameters.weights.items()
        if not name.endswith(("running_mean", "running_variance"))
    ]


def turned(array: Array) -> Array:
    """Return weights in PyTorch's order of axes."""
    return np.ascontiguousarray(array.T if array.ndim < 4 else array.transpose(3, 2, 0, 1))


@EACH
def test_a_translated_network_is_the_recipes(recipe: Recipe) -> None:
    network = Sequential(recipe.layers((28, 28), 10)).build((784,), seed=1)
    module = translated(torch.nn, recipe)
    copy_weights(network, module)
    module.eval()
    images = GENERATOR.uniform(-1.0, 1.0, (6, 28, 28)).astype(np.float32)
    with torch.inference_mode():
        theirs = module(torch.from_numpy(images[:, None])).numpy()
    logits = network.without_activation("softmax").forward(images.reshape(6, 784))
    assert relative_error(logits, theirs) < 1e-5
    assert sum(tensor.numel() for tensor in module.parameters()) == len(network.parameters)


@EACH
def test_a_translated_optimizer_steps_as_the_recipes(recipe: Recipe) -> None:
    network = Sequential(recipe.layers((28, 28), 10)).build((784,), seed=1)
    module = translated(torch.nn, recipe)
    copy_weights(network, module)
    ours = recipe.optimizer().bind(network.parameters)
    update = translated_optimizer(ours, module)
    names = [name for name, _ in trained_arrays(network)]
    before = network.parameters.vector.copy()
    for rate in (1e-2, 3e-2, 1e-3):
        gradient = GENERATOR.normal(0.0, 1e-3, len(before)).astype(np.float32)
        network.parameters.gradient[:] = gradient
        for name, tensor in zip(names, module.parameters(), strict=True):
            tensor.grad = torch.from_numpy(turned(network.parameters.gradients[name]))
        ours.step(rate)
        update(rate)
    for (name, array), tensor in zip(trained_arrays(network), module.parameters(), strict=True):
        start = before[network.parameters.slices()[name]].reshape(array.shape)
        assert np.abs(array - start).max() > 1e-3
        assert relative_error(turned(array - start), tensor.detach().numpy() - turned(start)) < 1e-3


@pytest.mark.parametrize("change", [Flip(), Flip(alternating=True), Shift(2)])
def test_images_are_changed_as_ours_are(change: Augmentation) -> None:
    image = torch.zeros(400, 1, 9, 9) - 1.0
    image[:, 0, 4, 3] = 1.0
    coins = torch.arange(400) % 2 == 0
    maxima = augmented([change], image, coins).flatten(1).argmax(1).numpy()
    down, across = {*(maxima // 9)}, {*(maxima % 9)}
    if isinstance(change, Shift):
        assert (down, across) == ({2, 3, 4, 5, 6}, {1, 2, 3, 4, 5})
    else:
        assert (down, across) == ({4}, {3, 5})
    if change == Flip(alternating=True):
        assert np.array_equal(maxima % 9 == 5, coins.numpy())
