"""A plot of rows with one or two features as points."""

from typing import TYPE_CHECKING

import numpy as np

from handloom.data.dataset import Dataset
from handloom.errors import DataError
from handloom.plots.figure import (
    MEDIUM,
    class_labels,
    color_of,
    drawing,
    headline,
    marker_of,
    new_figure,
)
from handloom.plots.fonts import fitted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 2_000
"""The largest number of rows that are drawn."""

MOST_NAMES = 20
"""The largest number of classes, or outputs, in the legend."""

LONGEST_NAME, LONGEST_IN_LEGEND = 4.0, 2.0
"""The largest width of the name of an axis and of a class in inches."""


def are_points(dataset: Dataset) -> bool:
    """Return whether the rows are points: of one or two floating-point features."""
    return dataset.input_shape in ((1,), (2,)) and dataset.inputs.dtype != np.uint8


def points(dataset: Dataset) -> "Figure":
    """Plot the first rows of two features by class, or of one feature against their targets.

    Parameters
    ----------
    dataset : Dataset
        Rows for which `are_points` is true.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If rows of two features have continuous targets.
    """
    flat = dataset.input_shape == (1,)
    if not flat and not dataset.has_classes:
        raise DataError(
            "points of two features need classes, got continuous targets: a cell that ends with "
            "the dataset shows its first rows"
        )
    rows, targets = np.asarray(dataset.inputs[:MOST_POINTS]), dataset.targets[:MOST_POINTS]
    with drawing(dataset.name, *dataset.class_names, *(dataset.column_names or ())):
        names = class_labels(dataset.class_names, LONGEST_IN_LEGEND, MEDIUM)
        figure = new_figure(8.0, 6.0, headline(dataset.name, "samples"))
        panel = figure.add_subplot()
        for index, name in enumerate(names):
            if dataset.has_classes:
                own = rows[targets == index]
                across, up = own[:, 0], np.full(len(own), index) if flat else own[:, 1]
            else:
                across, up = rows[:, 0], targets.reshape(len(rows), -1)[:, index]
            panel.scatter(
                across,
                up,
                s=30.0,
                c=color_of(index),
                marker=marker_of(index),
                edgecolors="white",
                linewidths=0.5,
                label=name,
            )
        inputs = class_labels(dataset.column_names or ("first input", "second input"))
        panel.set_xlabel(fitted(inputs[0], LONGEST_NAME, MEDIUM))
        target = class_labels(dataset.class_names)[0] if len(names) == 1 else "target"
        label = "class" if dataset.has_classes else target
        panel.set_ylabel(fitted(label if flat else inputs[1], LONGEST_NAME, MEDIUM))
        if 1 < len(names) <= MOST_NAMES:
            panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.2)
    return figure
