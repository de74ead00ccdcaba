"""``handloom evaluate``: accuracy, loss, precision and recall of a trained network."""

from typing import Annotated

import typer

from handloom.cli.console import say, show_table
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
            help=f"Test-time augmentation: average over views of each image: {' | '.join(VIEWS)}.",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Evaluate a trained network on the test set of a dataset.

    Example: handloom evaluate runs/train-1 --data fashion-mnist
    """
    averaged = () if views is None else named_views(views)
    model = load_model(run)
    splits = load_dataset(data) if data is not None else dataset_of(model.trained_on)
    evaluation = measure(model, splits.test, averaged)
    precision, recall = precision_and_recall(evaluation.confusion)
    show_table(
        f"{run} on {splits.name}: accuracy {evaluation.accuracy:.4f}, loss {evaluation.loss:.4f}",
        ("class", "rows", "precision", "recall"),
        [
            (name, rows, f"{p:.3f}", f"{r:.3f}")
            for name, rows, p, r in zip(
                model.class_names, evaluation.confusion.sum(axis=1), precision, recall, strict=True
            )
        ],
        caption=f"{len(splits.test):,} rows",
    )
    if evaluation.of_views is not None:
        say(
            f"averaged over {len(averaged)} views of each image ({views}): "
            f"accuracy {evaluation.of_views.accuracy:.4f}, loss {evaluation.of_views.loss:.4f}"
        )


def dataset_of(name: str) -> Splits:
    """Return the dataset that a model was trained on, if its name identifies it."""
    if name not in RESERVED:
        raise DataError(f"the model was trained on {name}; name its folder with --data")
    return load_dataset(name)
