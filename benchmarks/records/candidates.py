"""The configurations that are compared for each recipe, the recipe as it is first.

A candidate states its changes in full, so that it stays itself when the recipe's file takes its
settings. Add one here, then run ``python -m benchmarks.records choose``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from handloom.data.augment import Erase, Flip, Shift
from handloom.recipes.networks import cnn, mlp
from handloom.recipes.recipe import Recipe
from handloom.recipes.registry import RECIPES

CURRENT = "as it is"

_FLIP, _SHIFT = Flip(alternating=True), Shift(1)

VARIANTS: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "mlp-flash": {"80 units": {"layers": mlp(80, ghost_batch=256)}},
    "mlp-quick": {"8 epochs": {"epochs": 8}},
    "mlp": {"norm of the whole batch": {"layers": mlp(384, 384, ghost_batch=512, dropout=0.1)}},
    "mlp-record": {"80 epochs": {"epochs": 80}, "averaged": {"average": 0.999}},
    "cnn-flash": {
        "dropout 0.2": {"layers": cnn(((32,), (64, 64), (128, 128)), dropout=0.2)},
    },
    "cnn": {"a quarter erased": {"augment": (_FLIP, _SHIFT, Erase(0.25, largest=0.2))}},
    "cnn-record": {
        "50 epochs, half erased, averaged": {
            "epochs": 50,
            "augment": (_FLIP, _SHIFT, Erase(0.5, largest=0.2)),
            "average": 0.999,
        },
    },
}
"""The settings of each candidate that differ from its recipe."""


def candidates(name: str) -> dict[str, Recipe]:
    """Return the configurations of a recipe by name."""
    recipe = RECIPES[name]
    variants = {label: replace(recipe, **changes) for label, changes in VARIANTS[name].items()}
    return {CURRENT: recipe, **variants}
