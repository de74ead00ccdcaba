"""``handloom evaluate``: the metrics of a trained network on test rows."""

import math
from typing import Annotated

import numpy as np
import typer

from handloom.cli.console import say, show_table
from handloom.cli.datasets import RunData, dataset_for, with_image_options
from handloom.cli.metrics_tables import of_two_classes, show_quantiles, show_regression
from handloom.cli.options import Run, load_model
from handloom.data import ImageOptions
from handloom.data.test_time_augmentation import VIEWS, named_views
from handloom.errors import ConfigurationError
from handloom.metrics import precision_and_recall
from handloom.training import evaluate as measure
from handloom.training.evaluation import evaluated_classes, mae_of_the_median, predicting_the_mean

UNDEFINED = "-: no precision, as the class is never predicted; no recall, as it has no rows"


@with_image_options
def evaluate(
    run: Run,
    options: ImageOptions,
    data: RunData = None,
    views: Annotated[
        str | None,
        typer.Option(
            help=f"Test-time augmentation: average over views of each image: {' | '.join(VIEWS)}.",
            show_default="none",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Two classes: the probability of the positive one above which it is predicted.",
            show_default="0.5",
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Two classes: the positive one.", show_default="the second"),
    ] = None,
) -> None:
    """Evaluate a trained network on the test set of a dataset.

    By default the dataset is that of the training, as its run folder describes it. All rows of
    another table are used; of a regression, the errors are in the units of the target. Two classes
    have ROC AUC and Brier score too. Examples:

    handloom evaluate runs/train-1 --data fashion-mnist

    handloom evaluate runs/train-2 --threshold 0.3
    """
    averaged = () if views is None else named_views(views)
    model = load_model(run)
    splits = dataset_for(run, model, data, options, measured=True)
    if averaged and not splits.test.has_classes:
        raise ConfigurationError("--views is for images; leave it out")
    evaluation = measure(model, splits.test, averaged, threshold=threshold, positive=positive)
    if evaluation.quantiles is not None:
        show_quantiles(f"{run} on {splits.name}", splits.test, evaluation.quantiles)
        return
    if evaluation.regression is not None:
        baseline = predicting_the_mean(model, splits.train, splits.test)
        median = mae_of_the_median(model, splits.train, splits.test)
        title = f"{run} on {splits.name}"
        show_regression(title, splits.test, evaluation.regression, baseline, median)
        return
    names = evaluated_classes(model, splits.test)
    precision, recall = precision_and_recall(evaluation.confusion)
    undefined = np.isnan([precision, recall]).any()
    show_table(
        f"{run} on {splits.name}: accuracy {evaluation.accuracy:.4f}, loss {evaluation.loss:.4f}",
        ("class", "rows", "precision", "recall"),
        [
            (name, rows, _fraction(p), _fraction(r))
            for name, rows, p, r in zip(
                names, evaluation.confusion.sum(axis=1), precision, recall, strict=True
            )
        ],
        caption=[
            f"{len(splits.test):,} rows",
            *of_two_classes(evaluation, names, "--positive"),
            *([UNDEFINED] if undefined else []),
        ],
    )
    if evaluation.of_views is not None:
        say(
            f"averaged over {len(averaged)} views of each image ({views}): "
            f"accuracy {evaluation.of_views.accuracy:.4f}, loss {evaluation.of_views.loss:.4f}"
        )


def _fraction(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
