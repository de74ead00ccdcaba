"""All recipes by name."""

from collections.abc import Mapping

from handloom.errors import ConfigurationError, require_known
from handloom.recipes import cnn, cnn_flash, cnn_record, mlp, mlp_flash, mlp_quick, mlp_record
from handloom.recipes.base import BEFORE_RANKS
from handloom.recipes.option import options_of
from handloom.recipes.recipe import Recipe, RecipeSettings

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        mlp_flash.RECIPE,
        mlp_quick.RECIPE,
        mlp.RECIPE,
        mlp_record.RECIPE,
        cnn_flash.RECIPE,
        cnn.RECIPE,
        cnn_record.RECIPE,
    )
}
"""The recipes by name: from quick to accurate, first without and then with convolutions."""


def named_recipe(name: str) -> Recipe:
    """Return the recipe of a name.

    Raises
    ------
    ConfigurationError
        If there is no such recipe.
    """
    require_known("recipe", name, RECIPES)
    return RECIPES[name]


def recipe_settings_from_json(values: Mapping[str, object]) -> RecipeSettings:
    """Return settings from the values of `RecipeSettings.to_json`.

    Raises
    ------
    ConfigurationError
        If a setting is missing, unknown or invalid.
    """
    values = {**BEFORE_RANKS, **values}
    names = [option.name for option in options_of(RecipeSettings)]
    if set(values) != set(names):
        raise ConfigurationError(
            f"the settings of a recipe must hold {', '.join(names)}, got {', '.join(values)}"
        )
    recipe = named_recipe(str(values["recipe"]))
    return RecipeSettings(**{**values, "recipe": recipe})  # type: ignore[arg-type]
