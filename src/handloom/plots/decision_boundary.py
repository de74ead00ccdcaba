"""A plot of the decision boundary of a model of two inputs, with rows of a dataset."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handloom.data.columns import require_same_columns
from handloom.data.dataset import Dataset
from handloom.errors import DataError
from handloom.model import Model
from handloom.plots.figure import (
    DARK,
    GRAY,
    MEDIUM,
    class_labels,
    color_of,
    drawing,
    headline,
    marker_of,
    new_figure,
)
from handloom.plots.fonts import fitted
from handloom.predictions import both_classes
from handloom.training.boundary import boundary_grid
from handloom.training.datasets import require_dataset, require_model
from handloom.training.evaluation import check_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]

MOST_POINTS = 2_000
"""The largest number of rows that are drawn."""

LONGEST_NAME, LONGEST_IN_LEGEND = 4.0, 2.0
"""The largest width of the name of an input and of a class in inches."""

MOST_NAMES = 20
"""The largest number of classes in the legend."""

MISCLASSIFIED = "misclassified"

PALEST, DEEPEST = 0.05, 0.5
"""The share of a class's color at a probability of 1/k, and at 1."""


def decision_boundary(model: Model, data: Dataset, *, title: str = "decision boundary") -> "Figure":
    """Plot the class that a model of two inputs predicts at each point of the plane.

    The color is that of the class, and deeper where its probability is higher; lines separate the
    classes. The rows of a dataset, at most the first ``MOST_POINTS``, are points with the color and
    marker of their class; those that the model predicts wrong have a dark edge, as the legend says.

    Parameters
    ----------
    model : Model
        A classification model of two features.
    data : Dataset
        The rows to draw, with classes.
    title : str
        The title, such as the name of the model.

    Returns
    -------
    Figure

    Raises
    ------
    ConfigurationError
        If ``model`` is no model, or ``data`` no dataset.
    DataError
        If rows do not have two floating-point features, or targets are no classes.
    """
    require_model(model)
    require_dataset("data", data)
    if data.input_shape != (2,) or data.inputs.dtype == np.uint8:
        raise DataError(
            "rows must have two floating-point features for a decision boundary, got "
            f"{data.inputs.dtype} of shape {data.inputs.shape}"
        )
    if not data.has_classes:
        raise DataError("targets must be classes for a decision boundary, got continuous targets")
    if model.network.index_columns:
        raise DataError("rows must have two features for a decision boundary, got category indices")
    check_kind(model, data)
    require_same_columns(data.column_names, model.column_names, "rows")
    names = data.class_names
    rows = np.asarray(data.inputs[:MOST_POINTS])
    grid = boundary_grid(model, rows)
    planes = both_classes(grid["grid_predictions"].astype(np.float64))
    with drawing(title, data.name, *names, *(data.column_names or ())):
        figure = new_figure(8.0, 6.5, headline(data.name, title))
        panel = figure.add_subplot()
        x, y = (grid[axis].astype(np.float64) for axis in ("grid_x", "grid_y"))
        extent = (*_ends(x), *_ends(y))
        panel.imshow(
            _shades(planes),
            origin="lower",
            extent=extent,
            aspect="auto",
            interpolation="bilinear",
        )
        _draw_lines(panel, x, y, planes)
        _draw_points(panel, model, data, rows)
        panel.set_xlim(x[0], x[-1])
        panel.set_ylim(y[0], y[-1])
        across, up = class_labels(data.column_names or ("first input", "second input"))
        panel.set_xlabel(fitted(across, LONGEST_NAME, MEDIUM))
        panel.set_ylabel(fitted(up, LONGEST_NAME, MEDIUM))
    return figure


def _ends(points: Values) -> tuple[float, float]:
    """Return the outer edges of the first and the last pixel, whose centers are the points."""
    half = float(points[1] - points[0]) / 2.0
    return float(points[0]) - half, float(points[-1]) + half


def _shades(planes: Values) -> Values:
    """Return the colors of the grid, shape (y, x, 3)."""
    from matplotlib.colors import to_rgb

    k = planes.shape[-1]
    colors = np.array([to_rgb(color_of(label)) for label in range(k)])
    chance = 1.0 / k
    certainty = np.clip((planes.max(axis=-1, keepdims=True) - chance) / (1.0 - chance), 0.0, 1.0)
    share = PALEST + (DEEPEST - PALEST) * np.nan_to_num(certainty)
    return np.asarray(1.0 - share * (1.0 - colors[planes.argmax(axis=-1)]))


def _draw_lines(panel: "Axes", x: Values, y: Values, planes: Values) -> None:
    """Draw where a class and the most probable other one are equally probable."""
    for label in range(planes.shape[-1]):
        ahead = planes[..., label] - np.delete(planes, label, axis=-1).max(axis=-1)
        if ahead.min() < 0.0 < ahead.max():
            panel.contour(x, y, ahead, levels=[0.0], colors=GRAY, linewidths=1.5)


def _draw_points(panel: "Axes", model: Model, data: Dataset, rows: npt.NDArray[np.generic]) -> None:
    """Draw the rows by class, and write the number of correct predictions."""
    targets = data.targets[: len(rows)]
    right = both_classes(model.predict(rows)).argmax(axis=-1) == targets
    for label, name in enumerate(class_labels(data.class_names, LONGEST_IN_LEGEND, MEDIUM)):
        own = targets == label
        edges = np.where(right[own], "white", DARK)
        panel.scatter(
            rows[own, 0],
            rows[own, 1],
            s=30.0,
            c=color_of(label),
            marker=marker_of(label),
            edgecolors=list(edges),
            linewidths=list(np.where(right[own], 0.5, 1.5)),
            label=name,
        )
    correct = f"{int(right.sum()):,} of {len(rows):,} correct"
    panel.set_title(correct, fontsize=MEDIUM, color=GRAY)
    if len(data.class_names) <= MOST_NAMES:
        _draw_legend(panel, mistakes=not right.all())


def _draw_legend(panel: "Axes", *, mistakes: bool) -> None:
    """Draw the marker of each class, and the edge of a mistake.

    By default the legend would take the edge of the first point, which may be a mistake.
    """
    from matplotlib.lines import Line2D

    def entry(name: str, **style: Any) -> Line2D:
        return Line2D([], [], linestyle="none", markersize=6.0, label=name, **style)

    _, names = panel.get_legend_handles_labels()
    entries = [
        entry(name, color=color_of(label), marker=marker_of(label))
        for label, name in enumerate(names)
    ]
    if mistakes:
        edge = {"markerfacecolor": "none", "markeredgecolor": DARK, "markeredgewidth": 1.5}
        entries.append(entry(MISCLASSIFIED, marker="o", **edge))
    panel.legend(handles=entries, loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.2)
