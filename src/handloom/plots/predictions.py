"""Plots of confusion matrices and misclassified images."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.pictures import picture, require_pictures
from handloom.errors import require_count
from handloom.metrics import precision_and_recall
from handloom.model import Model
from handloom.plots.evaluated import evaluation_of
from handloom.plots.figure import (
    BLUE,
    DARK,
    EDGE,
    GRAY,
    GREEN,
    LINE,
    MEDIUM,
    PALE,
    SMALL,
    VERMILLION,
    add_panel,
    bare,
    class_labels,
    drawing,
    headline,
    new_figure,
    show,
    widest,
)
from handloom.plots.fonts import fitted, width
from handloom.training.datasets import require_dataset
from handloom.training.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

NARROWEST = 6.0
"""The smallest width of a confusion matrix in inches, for the title."""

LONGEST_LABEL = 3.0
"""The largest width of a name beside the confusion matrix in inches."""

PANEL, GAP = 2.1, 0.3
"""The width of a misclassified image and its captions, and of the gap beside it, in inches."""

LARGEST = 480
"""The largest side of a misclassified image in pixels; its panel has fewer."""


def confusion(
    model: Model | Evaluation, data: Dataset | None = None, *, title: str = "confusion matrix"
) -> "Figure":
    """Plot the confusion matrix, with the recall of each class beside it and the precision below.

    The shade of a cell is its share of the row, the rows of that class.

    Parameters
    ----------
    model : Model or Evaluation
        A model of classes, or the result of `handloom.evaluate`, which needs no ``data``.
    data : Dataset, optional
        The rows to predict.
    title : str
        The title, such as the name of the model.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If targets are no classes.
    ConfigurationError
        If a model comes without data.
    """
    evaluation = evaluation_of(model, data)
    matrix, class_names = evaluation.confusion, evaluation.class_names
    dataset, k = evaluation.dataset, len(matrix)
    total = int(matrix.sum())
    subtitle = f"{_percent(matrix.trace() / total)} of {total:,} correct" if total else "no rows"
    cell = min(0.85, max(16 / k, 0.3))
    names = min(MEDIUM, 30 * cell)
    with drawing(title, dataset, *class_names):
        labels = class_labels(class_names, LONGEST_LABEL, names)
        beside = widest([*labels, "precision"], names)
        left, top, side = beside + 0.6, 0.9, cell * (k + 1)
        # the names below are turned by 40 degrees
        below = 0.65 * widest([*labels, "recall"], names) + 0.85
        across = max(left + side + EDGE, NARROWEST)
        figure = new_figure(across, top + side + below, headline(dataset, title), placed=True)
        left += (across - left - side - EDGE) / 2
        panel = add_panel(figure, left, top, side, side)
        panel.set_title(subtitle, fontsize=MEDIUM, color=GRAY)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        panel.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        bare(panel)
        _write_cells(panel, matrix, shares, cell)
        panel.set_xticks(
            range(k + 1), [*labels, "recall"], rotation=40, ha="right", rotation_mode="anchor"
        )
        panel.set_yticks(range(k + 1), [*labels, "precision"])
        panel.tick_params(length=0, labelsize=names)
        panel.set_xlim(-0.5, k + 0.5)
        panel.set_ylim(k + 0.5, -0.5)
        panel.set_xlabel("predicted class")
        panel.set_ylabel("true class")
        panel.xaxis.set_label_coords(0.5, -(below - 0.45) / side)
        panel.yaxis.set_label_coords(-(beside + EDGE) / side, 0.5)
    return figure


def _write_cells(panel: "Axes", matrix: Counts, shares: Values, cell: float) -> None:
    """Write the counts into the cells, recall to the right of each row, precision below."""
    k = len(matrix)
    write = partial(panel.text, ha="center", va="center")
    digits = len(f"{matrix.max(initial=0)}")
    size, smaller = min(MEDIUM, 16 * cell, 90 * cell / digits), min(SMALL, 14 * cell)
    for (row, column), count in np.ndenumerate(matrix):
        pale = PALE if count == 0 else DARK
        color = "white" if shares[row, column] > 0.5 else pale
        write(column, row, f"{count}", color=color, fontsize=size)
    precision, recall = precision_and_recall(matrix)
    for index in range(k):
        write(k, index, _percent(recall[index]), color=GREEN, fontsize=smaller)
        write(index, k, _percent(precision[index]), color=GREEN, fontsize=smaller)


def mistakes(
    model: Model | Evaluation, data: Dataset, *, title: str = "mistakes", count: int = 20
) -> "Figure":
    """Plot the misclassified images of the highest confidence.

    Captions have the predicted and the true class with their probabilities, and the index of the
    row.

    Parameters
    ----------
    model : Model or Evaluation
        A model of classes, or the result of `handloom.evaluate` for these rows.
    data : Dataset
        Images, uint8 of shape (n, y, x), or (n, c, y, x) with 1 channel (gray), 3 (RGB) or 4 (RGBA,
        drawn on a checkerboard).
    title : str
        The title, such as the name of the model.
    count : int
        The largest number of images to plot.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If the inputs are no such images, targets are no classes, or the rows are not those of the
        evaluation.
    ConfigurationError
        If ``count`` is not a whole number of at least 1.
    """
    count = require_count("count", count)
    require_dataset("data", data)
    require_pictures(data.inputs)
    evaluation = evaluation_of(model, data)
    images, targets, probabilities = data.inputs, data.targets, evaluation.probabilities
    class_names, dataset = evaluation.class_names, data.name
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    columns = 5
    rows = max(1, -(-len(worst) // columns))
    subtitle = [f"the most confident of {len(wrong):,} mistakes"] if len(wrong) else []
    with drawing(title, dataset, *class_names):
        labels = class_labels(class_names, PANEL - width("pred. ", SMALL), SMALL)
        captions = [
            (
                _caption("pred.", labels[predicted[image]], _percent(confidence[image])),
                _caption(
                    "true", labels[targets[image]], _percent(probabilities[image, targets[image]])
                ),
            )
            for image in worst
        ]
        lines = 2 if any("\n" in text for texts in captions for text in texts) else 1
        y, x = images.shape[-2:]
        high, beside = PANEL * y / max(y, x), lines * LINE * SMALL + 0.1
        pitch, top = high + 2 * beside + LINE * SMALL, 0.8 + beside
        across = (PANEL + GAP) * columns + GAP
        figure = new_figure(
            across, pitch * rows + 0.9, headline(dataset, title), *subtitle, placed=True
        )
        for index, (image, (taken, true)) in enumerate(zip(worst, captions, strict=True)):
            row, column = divmod(index, columns)
            left = GAP + (PANEL + GAP) * column
            panel = add_panel(figure, left, top + pitch * row, PANEL, high)
            show(panel, picture(images[image], LARGEST))
            panel.set_title(taken, fontsize=SMALL, color=VERMILLION)
            panel.set_xlabel(true, fontsize=SMALL, color=BLUE)
            panel.text(
                0.5,
                -beside / high,
                f"row {image:,}",
                transform=panel.transAxes,
                ha="center",
                va="top",
                fontsize=SMALL,
                color=GRAY,
            )
        if not len(wrong):
            figure.text(0.5, 0.4, f"no mistake in {len(images):,} images", ha="center", color=GRAY)
    return figure


def _caption(kind: str, name: str, percent: str) -> str:
    """Return a caption of the width of a panel, of two lines if the name is long."""
    named = f"{kind} {name}"
    if width(line := f"{named} {percent}", SMALL) <= PANEL:
        return line
    return f"{fitted(named, PANEL, SMALL)}\n{percent}"


def _percent(share: float) -> str:
    """Return a share as a percentage; shares below 1 are never rounded to 100 %."""
    if np.isnan(share):
        return "none"
    if 0.9995 <= share < 1.0:
        return "> 99.9 %"
    return f"{100.0 * share:.1f} %"
