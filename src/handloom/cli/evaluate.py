"""``handloom evaluate``: how well a trained network does on a test set."""

from handloom.cli.console import show_table
from handloom.cli.options import Data, RunFolder, load_dataset
from handloom.cli.summary import load_model
from handloom.metrics import precision_and_recall
from handloom.training import evaluate as measure


def evaluate(run: RunFolder, data: Data = None) -> None:
    """Measure a trained network on the test part of a dataset.

    Example: [bold]handloom evaluate runs/train-1 --data fashion-mnist[/]
    """
    model = load_model(run)
    # without a name the dataset that the model learned from is the one that is meant
    splits = load_dataset(data or _known_name(model.trained_on))
    found = measure(model, splits.test)
    precision, recall = precision_and_recall(found.confusion)
    show_table(
        f"{run} on {splits.name}: accuracy {found.accuracy:.4f}, loss {found.loss:.4f}",
        ("class", "rows", "precision", "recall"),
        [
            (name, rows, f"{p:.3f}", f"{r:.3f}")
            for name, rows, p, r in zip(
                model.class_names, found.confusion.sum(axis=1), precision, recall, strict=True
            )
        ],
        caption=f"{len(splits.test):,} rows",
    )


def _known_name(trained_on: str) -> str | None:
    return trained_on if trained_on == "silhouettes" else None
