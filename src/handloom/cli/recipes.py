"""``handloom recipes``: the recipes with their test accuracy and training time."""

from handloom.cli.console import show_table
from handloom.recipes.registry import RECIPES

COLUMNS = (
    "recipe",
    "description",
    "parameters",
    "epochs",
    "test accuracy",
    "time",
    "threads",
    "runs",
)


def recipes() -> None:
    """List the recipes that train takes by name.

    Example: handloom train --recipe mlp-flash
    """
    show_table(
        "Recipes for Fashion-MNIST",
        COLUMNS,
        [
            (
                recipe.name,
                recipe.summary,
                f"{recipe.parameters():,}",
                figures.epochs,
                f"{figures.accuracy:.2%}"
                + (f" ± {100 * figures.spread:.2f}" if len(figures.accuracies) > 1 else ""),
                f"{figures.seconds:.1f} s",
                figures.threads,
                len(figures.accuracies),
            )
            for recipe in RECIPES.values()
            for figures in recipe.figures
        ],
        left=2,
        caption="mean and standard deviation over seeds, after the last epoch on all 60,000 rows;\n"
        "median seconds of training on that many threads; details: docs/records.md",
    )
