"""The settings of a recipe in full, and their digest."""

import hashlib
import json
from typing import Any

from handloom.network import Sequential
from handloom.recipes.recipe import Recipe

STEPS = 1000
"""The number of steps over which schedules are compared."""


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return everything that a training with a recipe depends on, as values for JSON.

    Summary and results are left out: they change no training.
    """
    network = Sequential(recipe.layers((28, 28), 10)).build((784,))
    optimizer = recipe.optimizer()
    return {
        "name": recipe.name,
        "layers": network.config()["layers"],
        "optimizer": {"kind": type(optimizer).__name__, **optimizer.config()},
        "rate": repr(recipe.rate(STEPS)),
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "label_smoothing": recipe.label_smoothing,
        "augment": [repr(augmentation) for augmentation in recipe.augment],
        "average": recipe.average,
    }


def digest(settings: dict[str, Any]) -> str:
    """Return twelve digits of the SHA-256 of settings."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
