"""``handloom evaluate``: how well a trained network does on a test set."""

from typing import Annotated

import typer

from handloom.cli.console import show_table
from handloom.cli.options import Data, Run, load_dataset, load_model
from handloom.data import Splits
from handloom.data.sources.published import RESERVED
from handloom.data.test_time_augmentation import VIEWS, named_views
from handloom.errors import DataError
from handloom.metrics import precision_and_recall
from handloom.training import evaluate as measure


def evaluate(
    run: Run,
    data: Data = None,
    views: Annotated[
        str | None,
        typer.Option(
            help=f"Look at each image in several ways too, and average: {' | '.join(VIEWS)}",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Measure a trained network on the test part of a dataset.

    Example: handloom evaluate runs/train-1 --data fashion-mnist
    """
    ways = () if views is None else named_views(views)
    model = load_model(run)
    splits = load_dataset(data) if data is not None else dataset_of(model.trained_on)
    found = measure(model, splits.test, ways)
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
    if found.of_views is not None:
        print(
            f"averaged over {len(ways)} views of each image ({views}): "
            f"accuracy {found.of_views.accuracy:.4f}, loss {found.of_views.loss:.4f}"
        )


def dataset_of(name: str) -> Splits:
    """Return the dataset that a model learned from, where its name alone says which."""
    if name not in RESERVED:
        raise DataError(f"the model learned from {name}; say with --data where that is")
    return load_dataset(name)
