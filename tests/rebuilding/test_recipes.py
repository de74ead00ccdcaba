"""The networks of the recipes can be saved."""

import numpy as np
import pytest

from handloom import Model, Sequential
from handloom.data import Scale
from handloom.recipes.registry import RECIPES, named_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_be_saved(name: str) -> None:
    network = Sequential(named_recipe(name).layers((28, 28), 10)).build((784,))
    values = network.parameters.values.copy()
    names = tuple(str(index) for index in range(10))
    Model(network, Scale(), names, (28, 28), "uint8").check_savable()
    assert np.array_equal(network.parameters.values, values)
