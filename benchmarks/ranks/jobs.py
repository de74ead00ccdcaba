"""Trainings that ranks share, and networks whose lanes are measured."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.__main__ import dataset
from benchmarks.jobs import MINI_BATCH
from handloom import Adam, Dataset, Dense, ReLU, Sequential, Trainer
from handloom.layers import Layer
from handloom.recipes.networks import mlp
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import RECIPES
from handloom.training.options import TrainingOptions

RATE = 1e-3
WIDE = 4096
"""Inputs and units of a wide network."""

Described = tuple[Sequential, TrainingOptions]


def dense(backend: str, **options: Any) -> Described:
    """Return the job with 512 units."""
    job = MINI_BATCH[2]
    options = {"batch_size": job.batch_size, "backend": backend, **options}
    network = job.network()
    return network, Trainer(network, job.update(), RATE, **options).options


def wide(backend: str, **options: Any) -> Described:
    """Return a network of two layers with as many units as inputs."""
    layers: list[Layer] = [Dense(WIDE), ReLU(), Dense(WIDE), ReLU(), Dense(10)]
    network = Sequential(layers).build((WIDE,))
    return network, Trainer(network, Adam(), RATE, backend=backend, **options).options


def recipe(
    name: str,
    backend: str,
    *,
    batch_size: int | None = None,
    ghost_batch: int | None = None,
    **options: Any,
) -> Described:
    """Return a recipe, or one with another batch or other ghost batches."""
    chosen = RECIPES[name]
    if ghost_batch is not None:
        chosen = replace(chosen, layers=mlp(96, ghost_batch=ghost_batch))
    if batch_size is not None:
        chosen = replace(chosen, batch_size=batch_size)
    settings = RecipeSettings(recipe=chosen, epochs=chosen.epochs, backend=backend, **options)
    network = settings.build(images())
    steps = settings.steps(images(), network)
    return network, settings.trainer(network, steps).options


def flash(backend: str, *, batch_size: int, **options: Any) -> Described:
    """Return ``mlp-flash`` with two ghost batches in each batch."""
    options |= {"batch_size": batch_size, "ghost_batch": batch_size // 2}
    return recipe("mlp-flash", backend, **options)


@cache
def images() -> Dataset:
    """Return images, enough for the steps of a call."""
    return dataset().take(slice(0, 20_480))


@cache
def wide_rows() -> Dataset:
    """Return generated rows of a wide network."""
    random = np.random.default_rng(0)
    rows, classes = random.random((2_048, WIDE), np.float32), random.integers(0, 10, 2_048)
    return Dataset(rows, classes, name="generated")


@dataclass(frozen=True)
class Shared:
    """A training that two ranks or two threads share.

    Attributes
    ----------
    make : callable
        From the backend and options to a network and its options.
    steps : dict
        The steps of a call for each backend.
    split : dict
        The options that give a step two lanes.
    has_default : bool
        Whether to measure it without these options too.
    """

    make: Callable[..., Described]
    steps: dict[str, int]
    split: dict[str, int] = field(default_factory=dict)
    has_default: bool = False


TRAININGS = {
    "batch 512, 512 units": Shared(
        dense, {"numpy": 20, "fused": 20}, {"lanes": 2, "shard_rows": 256}, has_default=True
    ),
    "cnn": Shared(partial(recipe, "cnn"), {"numpy": 2, "fused": 4}),
    "mlp-flash": Shared(partial(recipe, "mlp-flash"), {"fused": 60}),
    "mlp-flash, ghost batches of 128": Shared(
        partial(recipe, "mlp-flash", ghost_batch=128),
        {"fused": 60},
        {"lanes": 2, "shard_rows": 128},
    ),
}


@dataclass(frozen=True)
class Cost:
    """A network of the predictions.

    Attributes
    ----------
    make : callable
        From the backend and options to a network and its options.
    data : callable
        Returns its rows.
    rows : tuple of int
        The rows of the lanes that are measured.
    steps : int
        The steps of a call.
    """

    make: Callable[..., Described]
    data: Callable[[], Dataset]
    rows: tuple[int, ...]
    steps: int

    def described(self, rows: int) -> Described:
        """Return the network with batches of two lanes of some rows."""
        return self.make("fused", batch_size=2 * rows, lanes=2, shard_rows=rows)


COSTS = {
    "wide": Cost(wide, wide_rows, (128, 512), steps=1),
    "cnn": Cost(partial(recipe, "cnn"), images, (64, 128), steps=3),
    "mlp-flash": Cost(flash, images, (4, 32, 128), steps=50),
}
