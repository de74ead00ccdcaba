"""All recipes by name."""

from collections.abc import Mapping

from handloom.errors import ConfigurationError, require_known
from handloom.recipes import cnn, cnn_flash, cnn_record, mlp, mlp_flash, mlp_quick, mlp_record
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
"""From the quickest to the most accurate, first without and then with convolutions."""


def named_recipe(name: str) -> Recipe:
    """Return one of `RECIPES`.

    Raises
    ------
    ConfigurationError
        If there is no such recipe.
    """
    require_known("recipe", name, RECIPES)
    return RECIPES[name]


def recipe_settings_from_json(values: Mapping[str, object]) -> RecipeSettings:
    """Return the settings that `RecipeSettings.to_json` gave.

    Raises
    ------
    ConfigurationError
        If one is missing, unknown, or means nothing.
    """
    names = [option.name for option in options_of(RecipeSettings)]
    if set(values) != set(names):
        raise ConfigurationError(f"the settings of a recipe must hold {', '.join(names)}")
    recipe = named_recipe(str(values["recipe"]))
    return RecipeSettings(**{**values, "recipe": recipe})  # type: ignore[arg-type]
