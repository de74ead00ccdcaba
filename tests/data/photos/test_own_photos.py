"""Photographs of garments are recognized nearly as often as the images that they show."""

import os

import numpy as np
import pytest

pytest.importorskip("PIL")

from tests.helpers.photos import photos

from handloom import Adam, Dense, Model, ReLU, Sequential, Splits, Trainer, silhouettes
from handloom.recipes.experiment import train
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import named_recipe


@pytest.fixture(scope="module")
def drawn() -> tuple[Model, Splits]:
    """A network that was quickly trained on silhouettes, and its data."""
    data = silhouettes(4_000, test_rows=500)
    network = Sequential([Dense(96), ReLU(), Dense(10)]).build((784,), seed=0)
    trainer = Trainer(network, Adam(), 2e-3, epochs=8, batch_size=100)
    trainer.fit(data.train)
    return trainer.model(), data


def shares(model: Model, data: Splits, rows: int, *, light: bool, seed: int) -> tuple[float, float]:
    """Return the accuracy of photographs, and that of the images that they show."""
    clean, targets = np.asarray(data.test.inputs[:rows], np.uint8), data.test.targets[:rows]
    names = np.asarray(model.class_names)[targets]
    taken = photos(clean, light=light, seed=seed)
    right = np.array([model.predict_image(photo.image).class_name for photo in taken]) == names
    return float(np.mean(right)), float(np.mean(model.predict(clean).argmax(axis=1) == targets))


@pytest.mark.long
@pytest.mark.parametrize("light", [True, False], ids=["on light paper", "on a dark table"])
def test_photographs_are_recognized_like_the_images(
    drawn: tuple[Model, Splits], light: bool
) -> None:
    accuracy, clean = shares(*drawn, 100, light=light, seed=1001)
    assert clean > 0.7
    assert accuracy >= 0.9 * clean


@pytest.mark.long
@pytest.mark.parametrize("light", [True, False], ids=["on light paper", "on a dark table"])
def test_photographs_of_fashion_mnist_are_recognized_like_the_images(light: bool) -> None:
    if not os.environ.get("HANDLOOM_DATA"):
        pytest.skip("HANDLOOM_DATA is not set")
    from handloom import fashion_mnist

    data, recipe = fashion_mnist(), named_recipe("mlp-flash")
    trained = train(RecipeSettings(recipe=recipe, epochs=recipe.epochs), data)
    accuracy, clean = shares(trained.model, data, 1_000, light=light, seed=1002)
    print(f"photographs {accuracy:.3f}, images {clean:.3f}")
    assert accuracy >= 0.9 * clean
