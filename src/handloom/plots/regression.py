"""Plots of a regression: predictions against true targets, and residuals."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom.charts.scales import bounds, very_skewed
from handloom.data.dataset import Dataset
from handloom.model import Model
from handloom.plots.evaluated import evaluation_of
from handloom.plots.figure import (
    BLUE,
    DARK,
    GRAY,
    LIGHT,
    MEDIUM,
    SMALL,
    drawing,
    headline,
    new_figure,
)
from handloom.plots.fonts import fitted, legible
from handloom.training.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]

MOST_POINTS = 5_000
"""The largest number of rows that are drawn."""

MOST_OUTPUTS = 4
"""The largest number of outputs that are drawn, a row of panels each."""

LONGEST_NAME = 3.0
"""The largest width of the name of a target in inches."""

BINS = 30


def predicted_against_true(
    model: Model | Evaluation, data: Dataset | None = None, *, title: str = "predictions"
) -> "Figure":
    """Plot the prediction of each row against its true target, a panel for each output.

    Points on the line are predicted exactly. Both axes have the units of the target; they are
    logarithmic if all true targets are positive and very skewed, as prices are. Of many rows and
    outputs, ``MOST_POINTS`` and ``MOST_OUTPUTS`` are drawn.

    Parameters
    ----------
    model : Model or Evaluation
        A regression, or the result of `handloom.evaluate`, which needs no ``data``.
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
        If targets are classes, or ``data`` is not the rows of the evaluation.
    ModelError
        If the model does not fit the rows.
    ConfigurationError
        If ``model`` is neither, or a model without rows.
    """
    evaluation = evaluation_of(model, data, classes=False)
    outputs = _outputs(evaluation)
    with drawing(title, evaluation.dataset, *evaluation.class_names):
        figure = new_figure(7.5, 0.8 + 6.2 * len(outputs), headline(evaluation.dataset, title))
        panels = figure.subplots(len(outputs), squeeze=False)[:, 0]
        for panel, (name, predicted, residuals) in zip(panels, outputs, strict=True):
            true = predicted + residuals
            logarithmic = very_skewed(true)
            ends = _ends(true, predicted, logarithmic=logarithmic) if len(true) else (0.0, 1.0)
            # as in the report, predictions beyond a logarithmic axis are drawn at its lower edge
            drawn = np.maximum(predicted, ends[0]) if logarithmic else predicted
            _draw_points(panel, true, drawn)
            _style(panel, f"true {name}", f"predicted {name}", logarithmic=logarithmic)
            if below := int((predicted < ends[0]).sum()):
                text = f"at the lower edge: {below:,} predictions below {ends[0]:,.3g}"
                panel.set_title(text, loc="right", fontsize=SMALL, color=GRAY)
            if len(true):
                panel.plot(ends, ends, color=DARK, linewidth=1.5, label="predicted exactly")
                panel.set_xlim(ends)
                panel.set_ylim(ends)
                panel.legend(loc="upper left")
            panel.set_box_aspect(1.0)
    return figure


def residuals(
    model: Model | Evaluation, data: Dataset | None = None, *, title: str = "residuals"
) -> "Figure":
    """Plot residuals, true minus predicted, against predictions, and how many rows have which.

    Residuals of a good model lie about 0 at every prediction, without a trend or a funnel. A row of
    panels for each output; the histogram has all rows.

    Parameters, returned figure and errors are those of `predicted_against_true`.
    """
    evaluation = evaluation_of(model, data, classes=False)
    outputs = _outputs(evaluation)
    with drawing(title, evaluation.dataset, *evaluation.class_names):
        figure = new_figure(11, 0.8 + 5.2 * len(outputs), headline(evaluation.dataset, title))
        panels = figure.subplots(
            len(outputs), 2, squeeze=False, sharey="row", gridspec_kw={"width_ratios": [3, 1]}
        )
        for (points, counts), (name, predicted, missed) in zip(panels, outputs, strict=True):
            _draw_points(points, predicted, missed)
            _style(points, f"predicted {name}", f"residual of {name}\n(true - predicted)")
            _style(counts, "rows", "")
            if len(missed):
                counts.hist(missed, bins=BINS, orientation="horizontal", color=BLUE)
                points.set_ylim(_with_margin(missed))
                for panel in (points, counts):
                    panel.axhline(0.0, color=DARK, linewidth=1.5, label="predicted exactly")
                counts.locator_params(axis="x", nbins=4, integer=True)
        drawn = panels[0, 0].get_legend_handles_labels()
        figure.legend(*drawn, loc="outside lower center", ncols=2)
    return figure


def _outputs(evaluation: Evaluation) -> list[tuple[str, Values, Values]]:
    """Return the name, the predictions and the residuals of the first outputs, finite rows only."""
    metrics = evaluation.regression
    assert metrics is not None  # checked by `evaluation_of`
    predicted, outputs = metrics.predictions.astype(np.float64), []
    for index, name in enumerate(evaluation.class_names[:MOST_OUTPUTS]):
        values, missed = predicted[:, index], metrics.residuals[:, index]
        finite = np.isfinite(values) & np.isfinite(missed)
        outputs.append(
            (fitted(legible(name), LONGEST_NAME, MEDIUM), values[finite], missed[finite])
        )
    return outputs


def _draw_points(panel: "Axes", x: Values, y: Values) -> None:
    """Draw rows as points, paler where there are many; note rows that are not drawn."""
    if not len(x):
        panel.text(0.5, 0.5, "no finite prediction", transform=panel.transAxes, ha="center")
        return
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(int))
    drawn = f"{len(chosen):,} of {len(x):,} rows" if len(chosen) < len(x) else f"{len(x):,} rows"
    alpha = 0.7 if len(chosen) < 500 else 0.35
    panel.scatter(x[chosen], y[chosen], s=22.0, c=BLUE, alpha=alpha, linewidths=0, label=drawn)


def _style(panel: "Axes", across: str, up: str, *, logarithmic: bool = False) -> None:
    panel.grid(visible=True, color=LIGHT, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=MEDIUM, color=GRAY, labelcolor=DARK)
    panel.set_xlabel(across)
    panel.set_ylabel(up)
    if logarithmic:
        panel.set_xscale("log")
        panel.set_yscale("log")
    else:
        panel.locator_params(nbins=6)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.6g}")


def _ends(true: Values, predicted: Values, *, logarithmic: bool) -> tuple[float, float]:
    """Return the common range of both axes."""
    if not logarithmic:
        return _with_margin(np.concatenate([true, predicted]))
    high = bounds([*true, predicted.max()], logarithmic=True)[1]
    return bounds(true, logarithmic=True)[0], high


def _with_margin(values: Values) -> tuple[float, float]:
    """Return the range of values with a margin."""
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin
