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
    "runs",
)


def recipes() -> None:
    """List the recipes that train takes by name.

    Example: handloom train --recipe mlp-flash
    """
    measured = [results for recipe in RECIPES.values() for results in recipe.results]
    threads = " or ".join(map(str, sorted({results.threads for results in measured})))
    show_table(
        ("Recipes for any folder of images", "Accuracy and time: on Fashion-MNIST"),
        COLUMNS,
        [
            (
                recipe.name,
                recipe.summary,
                f"{recipe.parameters():,}",
                results.epochs,
                f"{results.accuracy:.2%}"
                + (f" ± {100 * results.spread:.2f}" if len(results.accuracies) > 1 else ""),
                f"{results.seconds:.1f} s",
                len(results.accuracies),
            )
            for recipe in RECIPES.values()
            for results in recipe.results
        ],
        left=2,
        caption=(
            "mean and standard deviation over seeds, after the last epoch on all 60,000 rows;",
            f"median seconds of training on {threads} threads; details: docs/records.md",
        ),
    )
