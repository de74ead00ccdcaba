"""A history as HTML: curves of loss, accuracy and recorded metrics, the last epoch, and notes."""

import math
from collections.abc import Mapping, Sequence
from textwrap import shorten

import numpy as np
import numpy.typing as npt

from handloom.charts.small_chart import Line, small_chart
from handloom.markup import Element, element, table

MOST_CHARTS = 6
"""The largest number of charts."""

MOST_NOTES, LONGEST_NOTE = 6, 400
"""The largest number of notes, and of characters of each."""

PAIRS = {"loss": "loss", "accuracy": "accuracy (%)"}
"""The metrics of training and validation rows, with the titles of their charts."""

NOT_DRAWN = ("epoch", "data_loss", "penalty", "learning_rate", "seconds")

Columns = Mapping[str, npt.NDArray[np.float64]]


def history_view(
    columns: Columns, end: str, *, notes: Sequence[str] = (), guessing: float | None = None
) -> Element:
    """Return the curves of a training, its last epoch as a table, how it ended, and its notes.

    The learning rate has a curve if it changes.

    Parameters
    ----------
    columns : mapping of str to array, shape (epochs,)
        The metrics by name, ``"epoch"`` counted from 0.
    end : str
        How the training ended.
    notes : sequence of str
        The first `MOST_NOTES` are shown.
    guessing : float, optional
        The loss of the best constant prediction, a line in the chart of the loss: without it the
        axis of a training that learns nothing would look like that of one that works.
    """
    measured = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    charts = [
        _pair(measured, name, guessing if name == "loss" else None)
        for name in PAIRS
        if name in measured
    ]
    drawn = (*NOT_DRAWN, *PAIRS, *(f"validation_{name}" for name in PAIRS))
    recorded = [name for name in measured if name not in drawn]
    if "learning_rate" in measured and np.ptp(measured["learning_rate"]) > 0.0:
        charts.append(small_chart("learning rate", [_line(measured, "learning_rate", "rate")]))
    for name in recorded[: MOST_CHARTS - len(charts)]:
        charts.append(small_chart(name, [_line(measured, name, name)]))
    return element(
        "div",
        element("div", charts) if charts else None,
        _last(measured) if measured else None,
        element("p", element("b", end)),
        _list(notes) if notes else None,
    )


def _list(notes: Sequence[str]) -> Element:
    """Return the first notes as a list."""
    items = [shorten(note, LONGEST_NOTE, placeholder=" ...") for note in notes[:MOST_NOTES]]
    if len(notes) > MOST_NOTES:
        items.append(f"{len(notes) - MOST_NOTES:,} more in history.notes")
    return element("ul", [element("li", item) for item in items])


def _pair(columns: Columns, name: str, guessing: float | None) -> Element:
    """Return the chart of a metric of training and validation rows, and of guessing."""
    factor = 100.0 if name == "accuracy" else 1.0
    lines = [_line(columns, name, "training", factor)]
    if f"validation_{name}" in columns:
        lines.append(_line(columns, f"validation_{name}", "validation", factor))
    if guessing is not None and math.isfinite(guessing):
        epochs = (columns["epoch"] + 1).tolist()
        lines.append(Line("guessing", epochs, [guessing] * len(epochs)))
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
