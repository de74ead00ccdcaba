"""Predicted against true values of a regression, and its errors beside those of the mean."""

import math

import numpy as np

from handloom.charts.scales import bounds
from handloom.markup import Element, Node, element
from handloom.metrics import mean_absolute_error, mean_squared_error, r2
from handloom.reporting.charts.plane import Plane, horizontal, vertical
from handloom.reporting.continuous import Output, outputs_of, why_no_outputs
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.tables import scrolling_table, values_of_chart
from handloom.reporting.wording import amount, counted, decimal

TITLE = "Predicted against true: how far off it is"

GROUPS = 10
"""The number of groups of rows in the table of a chart."""


def predicted(run: ReportedRun) -> Section | Omission:
    """Return predicted against true values of each output of a run, and its errors."""
    outputs = outputs_of(run)
    if outputs is None:
        return Omission(TITLE, why_no_outputs(run))
    several = len(run.class_names)
    first = (
        f"The first {len(outputs)} of the {several} outputs are shown."
        if several > len(outputs)
        else ""
    )
    return Section(
        "predicted",
        TITLE,
        [
            element("p", first) if first else None,
            element("p", _summary(outputs[0])) if len(outputs) == 1 else None,
            [
                element("div", _chart(each, index), _errors(each), class_="columns")
                for index, each in enumerate(outputs)
            ],
        ],
        styles=("charts", "fit"),
    )


def _summary(output: Output) -> str:
    mae, of_median = _mae(output), mean_absolute_error(output.true, _median(output))
    explained = r2(output.true, output.predicted)
    text = (
        f"A prediction of {output.name} is off by {amount(mae)} on average; predicting its median, "
        f"{amount(output.median)}, for every row would be off by {amount(of_median)}."
    )
    if math.isfinite(explained) and explained > 0.0:
        text += f" The network explains {100 * explained:.1f} % of the variance."
    elif math.isfinite(explained):
        text += " The network explains none of the variance: it is worse than the mean."
    return text


def _mae(output: Output) -> float:
    return mean_absolute_error(output.true, output.predicted)


def _constant(output: Output) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.full(len(output.true), output.constant)


def _median(output: Output) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.full(len(output.true), output.median)


def _chart(output: Output, index: int) -> Element:
    true, own = output.true[output.drawn], output.predicted[output.drawn]
    low, high = bounds([*true, *own], logarithmic=output.logarithmic)
    below = 0
    if output.logarithmic:
        low = bounds(true, logarithmic=True)[0]
        below = int((own < low).sum())
        own = np.maximum(own, low)
    plane = Plane(
        horizontal(low, high, logarithmic=output.logarithmic),
        vertical(low, high, logarithmic=output.logarithmic),
        f"true {output.name}",
        f"predicted {output.name}",
    )
    title = f"Predicted against true {output.name}"
    caption = (
        "Each point is a test row; on the line a prediction is exact, above it too high, below it "
        f"too low.{output.drawn_note}"
    )
    if output.logarithmic:
        caption += " The axes are logarithmic, since the values are positive and very skewed."
    if below:
        caption += f" At the lower edge: {counted(below, 'prediction')} below {amount(low)}."
    nodes: list[Node] = [
        *plane.points(true, own),
        plane.line((low, high), (low, high), class_="mark"),
    ]
    spoken = f"test rows about the line of exact predictions, R^2 {_r2(output)}"
    return plane.figure(
        title,
        caption,
        nodes,
        id_=f"predicted-{index}",
        spoken=spoken,
        below=values_of_chart(title, _groups(output)),
    )


def _r2(output: Output) -> str:
    value = r2(output.true, output.predicted)
    return decimal(value, 3) if math.isfinite(value) else "-"


def _groups(output: Output) -> Element:
    """Return the true values of rows with about equal predictions, as a table."""
    order = np.argsort(output.predicted, kind="stable")
    groups = [each for each in np.array_split(order, GROUPS) if len(each)]
    columns = (output.predicted, output.true, np.abs(output.residuals))
    rows: list[list[Node]] = [
        [f"{len(each):,}", *(amount(float(values[each].mean())) for values in columns)]
        for each in groups
    ]
    return scrolling_table(
        "The test rows in groups, from the lowest to the highest predictions.",
        ("rows", "mean prediction", "mean true value", "mean absolute error"),
        rows,
        label=f"Groups of predictions of {output.name}",
    )


def _errors(output: Output) -> Element:
    """Return the errors of the network, and of predicting the mean or median, as a table.

    The mean has the smallest squared error of all constants, the median the smallest absolute one.
    """
    constant, median = _constant(output), _median(output)
    of_constants = (decimal(r2(output.true, each), 3) for each in (constant, median))
    rows: list[list[Node]] = [["R^2", _r2(output), *of_constants]]
    errors = {"mean squared error": mean_squared_error, "mean absolute error": mean_absolute_error}
    for name, error in errors.items():
        each = [error(output.true, own) for own in (output.predicted, constant, median)]
        rows.append([name, *map(amount, each)])
        if name == "mean squared error":
            rows.append(["its square root", *(amount(math.sqrt(value)) for value in each)])
    whose = "training" if output.of_training else "test"
    return scrolling_table(
        f"Errors of {output.name} on {len(output.true):,} test rows, in its units (the mean "
        f"squared error in their square), beside those of predicting the mean of the {whose} rows, "
        f"{amount(output.constant)}, or their median, {amount(output.median)}, for all.",
        ("metric", "network", "mean", "median"),
        rows,
        label=f"Errors of {output.name}",
    )
