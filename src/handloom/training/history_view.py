"""A history as HTML: curves of loss, accuracy and recorded metrics, the last epoch, and the end."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from handloom.charts.small_chart import Line, small_chart
from handloom.markup import Element, element, table

MOST_CHARTS = 6
"""The largest number of charts."""

PAIRS = {"loss": "loss", "accuracy": "accuracy (%)"}
"""The metrics of training and validation rows, with the titles of their charts."""

NOT_DRAWN = ("epoch", "data_loss", "penalty", "learning_rate", "seconds")

Columns = Mapping[str, npt.NDArray[np.float64]]


def history_view(columns: Columns, end: str) -> Element:
    """Return the curves of a training, its last epoch as a table, and how it ended.

    Parameters
    ----------
    columns : mapping of str to array, shape (epochs,)
        The metrics by name, ``"epoch"`` counted from 0.
    end : str
        How the training ended.
    """
    measured = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    charts = [_pair(measured, name) for name in PAIRS if name in measured]
    drawn = (*NOT_DRAWN, *PAIRS, *(f"validation_{name}" for name in PAIRS))
    recorded = [name for name in measured if name not in drawn]
    for name in recorded[: MOST_CHARTS - len(charts)]:
        charts.append(small_chart(name, [_line(measured, name, name)]))
    return element(
        "div",
        element("div", charts) if charts else None,
        _last(measured) if measured else None,
        element("p", element("b", end)),
    )


def _pair(columns: Columns, name: str) -> Element:
    """Return the chart of a metric of training and validation rows."""
    factor = 100.0 if name == "accuracy" else 1.0
    lines = [_line(columns, name, "training", factor)]
    if f"validation_{name}" in columns:
        lines.append(_line(columns, f"validation_{name}", "validation", factor))
    return small_chart(PAIRS[name], lines)


def _line(columns: Columns, name: str, label: str, factor: float = 1.0) -> Line:
    return Line(label, (columns["epoch"] + 1).tolist(), (factor * columns[name]).tolist())


def _last(columns: Columns) -> Element:
    """Return the metrics of the last epoch."""
    parts = () if columns["penalty"].any() else ("data_loss", "penalty")
    names = [each for each in columns if each not in parts and math.isfinite(columns[each][-1])]
    values = [
        f"{columns[name][-1] + 1:.0f}" if name == "epoch" else f"{columns[name][-1]:.4g}"
        for name in names
    ]
    return table([name.replace("_", " ") for name in names], [values])
