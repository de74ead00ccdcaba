"""Residuals of a regression: their distribution, and the rows with the largest errors."""

import numpy as np

from handloom.charts.scales import bounds
from handloom.markup import Element, Node, element
from handloom.reporting.charts.plane import Floats, Plane, horizontal, vertical
from handloom.reporting.continuous import Output, outputs_of, why_no_outputs
from handloom.reporting.raw_rows import raw_rows
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.tables import scrolling_table, values_of_chart
from handloom.reporting.wording import amount

TITLE = "Residuals: where it is wrong"

LARGEST = 10
"""The number of rows with the largest errors that are listed."""

MOST_BINS = 30
"""The largest number of bars of a histogram."""

FAR = 4.0
"""The range of all residuals relative to that of 98 % of them, from which the rest is in the outer
bars of a histogram."""


def residuals(run: ReportedRun) -> Section | Omission:
    """Return the residuals of each output of a run, and the rows with the largest errors."""
    outputs = outputs_of(run)
    if outputs is None:
        return Omission(TITLE, why_no_outputs(run))
    body: list[Node] = [
        element(
            "p",
            "A residual is the true value minus the prediction: above 0 the prediction was too "
            "low, below 0 too high.",
        )
    ]
    for index, each in enumerate(outputs):
        body += [
            element("div", _histogram(each, index), _by_prediction(each, index), class_="charts"),
            element("h3", f"The largest errors of {each.name}"),
            _largest(run, each),
        ]
    return Section("residuals", TITLE, body, styles=("charts", "fit"))


def _histogram(output: Output, index: int) -> Element:
    values = output.residuals
    low, high, note = _range(values)
    bins = int(np.clip(np.sqrt(len(values)), 5, MOST_BINS))
    counts, edges = np.histogram(np.clip(values, low, high), bins, (low, high))
    plane = Plane(
        horizontal(low, high),
        vertical(0.0, 1.05 * float(counts.max())),
        f"residual of {output.name}",
        "test rows",
    )
    title = f"Histogram of the residuals of {output.name}"
    zero: list[Node] = []
    if low < 0.0 < high:
        zero = [plane.line((0.0, 0.0), (plane.y.low, plane.y.high), class_="mark")]
    mean, spread = float(values.mean()), float(values.std())
    caption = (
        f"Their mean is {amount(mean)}, their standard deviation {amount(spread)}. A mean far from "
        f"0 would be a prediction that is too low or too high throughout.{note}"
    )
    texts = [amount(edge) for edge in edges.tolist()]
    rows: list[list[Node]] = [
        [f"{low} to {high}", f"{count:,}"]
        for low, high, count in zip(texts, texts[1:], counts.tolist(), strict=False)
    ]
    table = scrolling_table("Test rows by residual.", ("residual", "rows"), rows, label=title)
    return plane.figure(
        title,
        caption,
        [*plane.bars(edges.tolist(), counts.tolist()), *zero],
        id_=f"residuals-{index}",
        spoken=f"mean {amount(mean)}, standard deviation {amount(spread)}",
        below=values_of_chart(title, table),
    )


def _range(values: Floats) -> tuple[float, float, str]:
    """Return the range of a histogram, and a sentence about rows outside of it."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low - 0.5, high + 0.5, ""
    inner_low, inner_high = np.quantile(values, (0.01, 0.99)).tolist()
    if high - low <= FAR * (inner_high - inner_low) or inner_low == inner_high:
        return low, high, ""
    outside = int(((values < inner_low) | (values > inner_high)).sum())
    return (
        inner_low,
        inner_high,
        f" The outer bars have all rows beyond them too, {outside:,} in total, from {amount(low)} "
        f"to {amount(high)}.",
    )


def _by_prediction(output: Output, index: int) -> Element:
    predictions, values = output.predicted[output.drawn], output.residuals[output.drawn]
    logarithmic = output.logarithmic and bool((output.predicted > 0.0).all())
    plane = Plane(
        horizontal(*bounds(predictions, logarithmic=logarithmic), logarithmic=logarithmic),
        vertical(*bounds([*values, 0.0], logarithmic=False)),
        f"predicted {output.name}",
        "residual",
    )
    return plane.figure(
        f"Residuals of {output.name} by prediction",
        "A cloud of equal height about the line is the best. A funnel: errors grow with the value, "
        f"as prices do. A bend: the network misses a part of the shape.{output.drawn_note}",
        [*plane.points(predictions, values), plane.across(0.0)],
        id_=f"residuals-by-prediction-{index}",
        spoken="test rows about the line of no error",
    )


def _largest(run: ReportedRun, output: Output) -> Element:
    rows = output.largest[:LARGEST]
    told: list[tuple[str, list[Node]]] = [
        (f"true {output.name}", list(output.true_texts(rows))),
        ("predicted", [amount(value, 5) for value in output.predicted[rows].tolist()]),
        ("residual", [amount(value, 5) for value in output.residuals[rows].tolist()]),
    ]
    return raw_rows(
        run,
        rows,
        told,
        f"The {len(rows)} test rows with the largest errors of {output.name}, with their cells in "
        "the table. Are they wrong, rare, or is a column missing that would explain them?",
        label=f"Largest errors of {output.name}",
    )
