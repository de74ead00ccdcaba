"""What a dataset looks like, and what a model makes of it."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import DataError, require_count
from handloom.metrics import precision_and_recall
from handloom.plots.figure import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    MEDIUM,
    PALE,
    SMALL,
    VERMILLION,
    drawing,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]


def sample_grid(dataset: Dataset, *, per_class: int = 10) -> "Figure":
    """Draw the first images of each class, a row for each class.

    Parameters
    ----------
    dataset : Dataset
        Its inputs are images, uint8 of shape (n, y, x).
    per_class : int
        How many images of each class; where a class has fewer, the rest of its row stays white.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If the inputs are no such images.
    ConfigurationError
        If ``per_class`` is no whole number of at least 1.
    """
    columns = require_count("per_class", per_class)
    images = _images(dataset.inputs)
    classes = len(dataset.class_names)
    shape = np.array(images.shape[1:])
    gap = max(1, int(shape.max()) // 14)
    pitch = shape + gap
    sheet = np.full(pitch * (classes, columns) - gap, 255, np.uint8)
    for label in range(classes):
        for column, row in enumerate(np.flatnonzero(dataset.targets == label)[:columns]):
            y, x = pitch * (label, column)
            sheet[y : y + shape[0], x : x + shape[1]] = images[row]
    cell = min(0.85, 14 / columns, 20 / classes)
    height = cell * classes * pitch[0] / pitch[1] + 1.2
    with drawing():
        figure = new_figure(max(cell * columns + 2, 6), height, f"{dataset.name}: samples")
        panel = figure.subplots()
        panel.imshow(sheet, cmap="gray", vmin=0, vmax=255)
        _bare(panel)
        panel.set_xlabel(f"the first {columns} of each class")
        middles = (shape[0] - 1) / 2 + pitch[0] * np.arange(classes)
        panel.set_yticks(middles, dataset.class_names, fontsize=min(MEDIUM, 60 * cell))
        panel.tick_params(length=0)
    return figure


def confusion(matrix: Counts, class_names: Sequence[str], *, title: str, dataset: str) -> "Figure":
    """Draw a confusion matrix, with the recall of each class beside it and the precision below.

    The shade of a cell is its share of the row: of the images of that class.

    Parameters
    ----------
    matrix : array of int, shape (k, k)
        Rows of each true class (row) by predicted class (column), as `confusion_matrix` counts.
    class_names : sequence of str, length k
        What the classes are called.
    title : str
        What made the predictions.
    dataset : str
        The dataset's name.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If the matrix is not square, or names and classes differ in number.
    """
    k = len(class_names)
    if matrix.shape != (k, k):
        raise DataError(
            f"a confusion matrix of {k} classes has shape ({k}, {k}), got {matrix.shape}"
        )
    cell = min(0.85, 16 / k)
    total = int(matrix.sum())
    right = f"{_percent(matrix.trace() / total)} of {total:,} right" if total else "no rows"
    with drawing():
        figure = new_figure(max(cell * k + 4, 7), max(cell * k + 3, 6), f"{dataset}: {title}")
        panel = figure.subplots()
        panel.set_title(right, fontsize=MEDIUM, color=GREY)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        panel.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        _bare(panel)
        _write_cells(panel, matrix, shares, min(MEDIUM, 16 * cell))
        names = min(MEDIUM, 30 * cell)
        panel.text(k, -0.6, "recall", ha="center", va="bottom", fontsize=names)
        panel.set_xticks(range(k), class_names, rotation=40, ha="right", rotation_mode="anchor")
        panel.set_yticks(range(k + 1), [*class_names, "precision"])
        panel.tick_params(length=0, labelsize=names)
        panel.set_xlim(-0.5, k + 0.5)
        panel.set_ylim(k + 0.5, -0.5)
        panel.set_xlabel("predicted class")
        panel.set_ylabel("true class")
    return figure


def _write_cells(panel: "Axes", matrix: Counts, shares: Values, size: float) -> None:
    """Write the counts into the cells, recall to the right of each row, precision below."""
    k = len(matrix)
    write = partial(panel.text, ha="center", va="center", fontsize=size)
    for (row, column), count in np.ndenumerate(matrix):
        pale = PALE if count == 0 else DARK
        colour = "white" if shares[row, column] > 0.5 else pale
        write(column, row, f"{count}", color=colour)
    precision, recall = precision_and_recall(matrix)
    for place in range(k):
        write(k, place, _percent(recall[place]), color=GREEN)
        write(place, k, _percent(precision[place]), color=GREEN)


def confident_mistakes(
    images: npt.NDArray[np.generic],
    targets: npt.NDArray[np.integer],
    probabilities: npt.NDArray[np.floating],
    class_names: Sequence[str],
    *,
    title: str,
    dataset: str,
    count: int = 20,
) -> "Figure":
    """Draw the images that were called something else with the most confidence.

    Parameters
    ----------
    images : array of uint8, shape (n, y, x)
        Grey images.
    targets : array of int, shape (n,)
        The class of each image.
    probabilities : array of float, shape (n, k)
        The predicted probability of each class.
    class_names : sequence of str, length k
        What the classes are called.
    title : str
        What made the predictions.
    dataset : str
        The dataset's name.
    count : int
        How many mistakes to draw at most.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If the arrays do not belong together, or the images are none.
    ConfigurationError
        If `count` is no whole number of at least 1.
    """
    count = require_count("count", count)
    images = _images(images)
    if targets.shape != (len(images),) or probabilities.shape != (len(images), len(class_names)):
        raise DataError(
            f"{len(images)} images of {len(class_names)} classes need targets of shape "
            f"({len(images)},) and probabilities of shape ({len(images)}, {len(class_names)}): "
            f"got {targets.shape} and {probabilities.shape}"
        )
    said, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(said != targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    columns = 5
    rows = max(1, -(-len(worst) // columns))
    found = f"the most confident of {len(wrong):,} mistakes" if len(wrong) else ""
    heading = f"{dataset}: {title}\n{found}".rstrip()
    with drawing():
        figure = new_figure(2.4 * columns, 2.7 * rows + 0.9, heading)
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for panel, image in zip(panels, worst, strict=False):
            panel.imshow(images[image], cmap="gray", vmin=0, vmax=255)
            name, percent = class_names[said[image]], _percent(confidence[image])
            panel.set_title(f"said {name} {percent}", fontsize=SMALL, color=VERMILLION)
            panel.set_xlabel(f"is {class_names[targets[image]]}", fontsize=SMALL, color=BLUE)
            _bare(panel)
        for panel in panels[len(worst) :]:
            panel.set_axis_off()
        if not len(wrong):
            figure.text(0.5, 0.4, f"no mistake in {len(images):,} images", ha="center", color=GREY)
    return figure


def _images(inputs: npt.NDArray[np.generic]) -> Images:
    """Return inputs that are grey images, or say what they are instead.

    Raises
    ------
    DataError
        If they are not uint8 of shape (n, y, x).
    """
    if inputs.dtype != np.uint8 or inputs.ndim != 3:
        raise DataError(
            f"grey images are uint8 of shape (n, y, x), got {inputs.dtype} of shape {inputs.shape}"
        )
    return inputs.view(np.uint8)


def _bare(panel: "Axes") -> None:
    """Take frame and ticks off a panel that shows an image."""
    panel.spines[:].set_visible(False)
    panel.set_xticks([])
    panel.set_yticks([])


def _percent(share: float) -> str:
    """Write a share as a percentage, and never call 100 % what is less."""
    if np.isnan(share):
        return "none"
    if 0.9995 <= share < 1.0:
        return "> 99.9 %"
    return f"{100.0 * share:.1f} %"
