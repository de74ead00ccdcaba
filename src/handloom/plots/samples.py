"""Plots of samples: images of each class, and augmented versions of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from handloom.data.augment import Augmentation, StepAugmentation, check_images
from handloom.data.dataset import Dataset
from handloom.data.pictures import Images, Sheet, picture, require_pictures
from handloom.errors import ConfigurationError, DataError, require_count
from handloom.plots.figure import (
    EDGE,
    GRAY,
    MEDIUM,
    add_panel,
    class_labels,
    drawing,
    headline,
    new_figure,
    show,
    widest,
)
from handloom.plots.points import are_points, points
from handloom.randomness import Purpose, Stream
from handloom.training.datasets import require_dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, LINES = 20, 120
"""The largest number of samples in a line; the lines of all classes that a grid may wrap to."""

NARROWEST = 4.0
"""The smallest width of a grid in inches, for the title and the caption."""

LARGEST = 160
"""The largest side of a sample in pixels; a cell of the grid has fewer."""


def samples(dataset: Dataset, *, per_class: int = 10) -> "Figure":
    """Plot a grid of samples: the first images of each class, a row for each class with images.

    Rows of two features are points instead, with the color and marker of their class; rows of one
    feature are points against their targets.

    Parameters
    ----------
    dataset : Dataset
        A dataset of images, uint8 of shape (n, y, x), or (n, c, y, x) with 1 channel (gray), 3
        (RGB) or 4 (RGBA, drawn on a checkerboard); or of one or two features, for points.
    per_class : int
        The largest number of images of each class; a row of more than 20 is wrapped, up to 120
        lines in all. The row of a class with fewer than another is filled with white. Of points
        the first 2,000 are drawn.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If the inputs are none of these, or images or points in a plane have continuous targets.
    ConfigurationError
        If ``dataset`` is no dataset, or ``per_class`` is not a whole number of at least 1.
    """
    require_dataset("data", dataset)
    per_class = require_count("per_class", per_class)
    if are_points(dataset):
        return points(dataset)
    if len(dataset.input_shape) == 1:
        raise DataError(
            "samples must be images, or rows of one or two features, got rows of shape "
            f"{dataset.input_shape}: a cell that ends with the dataset shows its first rows; flat "
            "images are drawn after Dataset(inputs.reshape(n, y, x), targets)"
        )
    require_pictures(dataset.inputs)
    counts = dataset.rows_per_class
    labels = np.flatnonzero(counts).tolist() or list(range(len(counts)))
    most = COLUMNS * max(1, LINES // len(labels))
    columns = min(per_class, int(counts.max()), most)
    pictures = {
        (label, column): picture(dataset.inputs[row], LARGEST)
        for label in labels
        for column, row in enumerate(np.flatnonzero(dataset.targets == label)[:columns])
    }
    return _grid(dataset, labels, pictures, columns, f"the first {columns} of each class")


def augmented_samples(
    dataset: Dataset, augment: Sequence[Augmentation], *, versions: int = 9, seed: int = 0
) -> "Figure":
    """Plot the first image of each class, and beside it how augmentation changes it.

    Parameters
    ----------
    dataset : Dataset
        A dataset of images, as for `samples`.
    augment : sequence of Augmentation
        Applied in this order, as by `handloom.Trainer`.
    versions : int
        The number of changed versions: those of the first steps of as many epochs.
    seed : int
        The seed of the changes.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If the inputs are not such images, or the targets are continuous.
    ConfigurationError
        If ``augment`` is empty, or ``versions`` is not a whole number of at least 1.
    """
    versions = require_count("versions", versions)
    if not augment:
        raise ConfigurationError("augment must have at least one augmentation, got none")
    require_pictures(dataset.inputs)
    check_images(dataset)
    labels = np.flatnonzero(dataset.rows_per_class)
    rows = np.array([np.argmax(dataset.targets == label) for label in labels])
    pictures = {}
    for column in range(versions + 1):
        images = dataset.inputs[rows].view(np.uint8)  # a copy
        if column > 0:  # the first column shows the images themselves
            epoch = column - 1
            stream = Stream(seed).at(Purpose.AUGMENT, epoch, 0)
            StepAugmentation(augment, stream, epoch)(images, rows, 0)
        for label, image in zip(labels, images, strict=True):
            pictures[int(label), column] = picture(image, LARGEST)
    caption = f"the first of each class, and {versions} augmented versions"
    return _grid(dataset, labels.tolist(), pictures, versions + 1, caption)


def _grid(
    dataset: Dataset,
    labels: Sequence[int],
    pictures: Mapping[tuple[int, int], Images],
    columns: int,
    caption: str,
) -> "Figure":
    """Plot a sheet of pictures with a row for each of some classes, wrapped if it is long."""
    classes = len(labels)
    lines = -(-columns // COLUMNS)
    columns, rows = min(columns, COLUMNS), classes * lines
    cells = {
        (labels.index(label) * lines + index // columns, index % columns): each
        for (label, index), each in pictures.items()
    }
    sheet = Sheet(cells, rows, columns)
    cell = min(0.85, 14 / columns, max(20, min(0.35 * rows, 60)) / rows)
    height, width = cell * sheet.pitch / sheet.unit
    size = min(MEDIUM, 60 * height * lines)
    with drawing(dataset.name, *dataset.class_names):
        names = class_labels([dataset.class_names[label] for label in labels], indices=labels)
        left = widest(names, size) + 2 * EDGE
        across = max(left + width * columns + EDGE, NARROWEST)
        figure = new_figure(
            across, height * rows + 1.2, headline(dataset.name, "samples"), placed=True
        )
        left += (across - left - width * columns - EDGE) / 2
        panel = add_panel(figure, left, 0.7, width * columns, height * rows)
        show(panel, sheet.pixels)
        panel.set_xlabel(caption)
        middles = np.reshape(sheet.middles, (classes, lines)).mean(axis=1)
        panel.set_yticks(middles, names, fontsize=size)
        panel.tick_params(length=0)
        for row in range(lines, rows, lines) if lines > 1 else ():
            panel.axhline(row * sheet.pitch[0] - 1, color=GRAY, linewidth=1)
    return figure
