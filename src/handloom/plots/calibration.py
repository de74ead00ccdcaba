"""A plot of calibration: whether a probability of 80 % is right in 80 of 100 cases."""

from typing import TYPE_CHECKING

import numpy as np

from handloom.data.dataset import Dataset
from handloom.errors import DataError, require_count
from handloom.metrics import Reliability, reliability
from handloom.model import Model
from handloom.plots.evaluated import evaluation_of
from handloom.plots.figure import (
    BLUE,
    DARK,
    GRAY,
    LIGHT,
    MEDIUM,
    SMALL,
    VERMILLION,
    drawing,
    headline,
    new_figure,
)
from handloom.training.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COUNTS = 15
"""The largest number of intervals whose numbers of rows are written."""


def calibration(
    model: Model | Evaluation,
    data: Dataset | None = None,
    *,
    title: str = "calibration",
    bins: int = 10,
) -> "Figure":
    """Plot a reliability diagram: the accuracy of predictions by their confidence.

    The confidence of a prediction is the probability of the predicted class. On the diagonal both
    agree; below it the model is too confident. The bars below count the rows of each interval. The
    calibration error by chance alone is that of a calibrated model with as many rows.

    Parameters
    ----------
    model : Model or Evaluation
        A model of classes, or the result of `handloom.evaluate`, which needs no ``data``.
    data : Dataset, optional
        The rows to predict.
    title : str
        The title, such as the name of the model.
    bins : int
        The number of intervals of the confidence, of one width, from 0 to 1.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If targets are no classes, or a prediction is not finite.
    ConfigurationError
        If a model comes without data, or ``bins`` is not a whole number of at least 1.
    """
    bins = require_count("bins", bins)
    evaluation = evaluation_of(model, data)
    probabilities = evaluation.probabilities.astype(np.float64)
    if not np.isfinite(probabilities).all():
        raise DataError("predictions must be finite to be drawn, got NaN or infinity")
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    measured = reliability(confidence, predicted == evaluation.targets, bins)
    with drawing(title, evaluation.dataset):
        subtitle = (
            f"expected calibration error (ECE): {100 * measured.error:.1f} %, "
            f"by chance alone {100 * measured.chance:.1f} %"
        )
        figure = new_figure(7.5, 8.5, headline(evaluation.dataset, title))
        diagram, rows = figure.subplots(2, sharex=True, gridspec_kw={"height_ratios": [4, 1.3]})
        diagram.set_title(subtitle, fontsize=MEDIUM, color=GRAY)
        _draw_diagram(diagram, measured)
        _draw_counts(rows, measured, 1.0 / probabilities.shape[1])
        figure.align_ylabels()
    return figure


def _draw_diagram(panel: "Axes", measured: Reliability) -> None:
    """Draw the accuracy of each interval that has rows, and its distance from the diagonal."""
    some = measured.counts > 0
    x, y = 100 * measured.confidence[some], 100 * measured.accuracy[some]
    panel.plot([0, 100], [0, 100], color=GRAY, linestyle=(0, (4, 3)), label="confidence = accuracy")
    panel.vlines(x, x, y, color=VERMILLION, linewidth=2.5, label="gap")
    sizes = 40 + 600 * measured.counts[some] / max(measured.counts.sum(), 1)
    panel.scatter(
        x,
        y,
        list(sizes),
        color=BLUE,
        zorder=3,
        clip_on=False,
        label="predictions, larger for more rows",
    )
    panel.set_ylabel("accuracy (%)")
    panel.set_xlim(0, 100)
    panel.set_ylim(-2, 104)
    panel.grid(visible=True, color=LIGHT, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.legend(loc="upper left")


def _draw_counts(panel: "Axes", measured: Reliability, equal: float) -> None:
    """Draw how many rows each interval has; no confidence is below that of equal ones."""
    bins = len(measured.counts)
    middles, width = 100 * (np.arange(bins) + 0.5) / bins, 100 / bins
    bars = panel.bar(middles, measured.counts, 0.9 * width, color=BLUE)
    if bins <= MOST_COUNTS:
        labels = [f"{count:,}" if count else "" for count in measured.counts]
        panel.bar_label(bars, labels, fontsize=SMALL, color=DARK, padding=2)
    panel.axvline(100 * equal, color=GRAY, linestyle=(0, (1, 2)))
    panel.set_ylabel("rows")
    panel.set_xlabel("confidence (%); dotted: equal probabilities")
    panel.set_ylim(0, 1.25 * max(int(measured.counts.max()), 1))
    panel.locator_params(axis="y", nbins=3, integer=True)
