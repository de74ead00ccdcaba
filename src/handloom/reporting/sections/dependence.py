"""Partial dependence: how predictions change with the most important columns of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.charts.scales import bounds
from handloom.markup import Element, Node, element
from handloom.reporting.charts.line_chart import legend, stroke
from handloom.reporting.charts.plane import Plane, horizontal, vertical
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.tables import scrolling_table, values_of_chart
from handloom.reporting.wording import aligned, amount, counted, percent
from handloom.training.dependence import NO_VALUE, PartialDependence, partial_dependence

TITLE = "Dependence: how predictions change with a column"

COLUMNS = 6
"""The largest number of columns: the most important ones."""

LINES = 4
"""The largest number of classes or outputs: those that change the most."""

CURVES = 15
"""The number of curves of single rows."""

OF_ROWS = (0.1, 0.9)
"""The quantiles of the predictions of single rows that a range shows."""


def dependence(run: ReportedRun) -> Section | Omission:
    """Return the partial dependence of the predictions of a run on its most important columns."""
    measured = run.importance
    if measured is None or run.model is None or run.test is None:
        return Omission(TITLE, run.why_missing("test", "model"))
    names = [measured.columns[index] for index in measured.order[:COLUMNS]]
    drawn = [partial_dependence(run.model, run.test, name) for name in names]
    if not all(np.isfinite(each.predictions).all() for each in drawn):
        return Omission(TITLE, "some predictions are not finite.")
    outputs = _outputs(run, drawn)
    axis = _axis(run, drawn, outputs)
    text = _explanation(run, drawn, len(outputs))
    figures = [_figure(each, index, outputs, axis) for index, each in enumerate(drawn)]
    body = [element("p", text), element("div", figures, class_="charts")]
    return Section("dependence", TITLE, body, styles=("charts", "fit"))


def _explanation(run: ReportedRun, drawn: Sequence[PartialDependence], lines: int) -> str:
    rows, outputs = drawn[0].predictions.shape[1:]
    subject = "probability" if run.classifies else "prediction"
    text = (
        f"The mean {subject} of {counted(rows, 'test row')} if one column is set to a value in all "
        "of them, and the others stay as they are."
    )
    if lines == 1:
        text += (
            f" The thin lines are {min(rows, CURVES)} single rows: where they are not parallel, "
            "the effect of the column depends on other columns."
        )
    elif lines < outputs:
        text += f" Shown are the {lines} of {outputs} that change the most."
    return text + (
        " Marks on the axis are the tenths of all test rows: each interval has as many. Where "
        "columns depend on each other, some of these rows could not occur. All charts have one "
        "scale of predictions."
    )


@dataclass(frozen=True)
class _Axis:
    """The common axis of predictions."""

    low: float
    high: float
    label: str
    of_classes: bool

    def text(self, value: float) -> str:
        """Return a prediction as text."""
        return percent(value) if self.of_classes else amount(value)


def _is_binary(run: ReportedRun) -> bool:
    return run.classifies and len(run.class_names) == 2


def _outputs(run: ReportedRun, drawn: Sequence[PartialDependence]) -> list[int]:
    """Return the indices of the outputs that are drawn."""
    if _is_binary(run):
        return [1]
    change = np.max([np.ptp(each.mean, axis=0) for each in drawn], axis=0)
    return sorted(np.argsort(-change, kind="stable")[:LINES].tolist())


def _axis(run: ReportedRun, drawn: Sequence[PartialDependence], outputs: list[int]) -> _Axis:
    names = drawn[0].outputs
    named = names[outputs[0]] if len(outputs) == 1 else ""
    if run.classifies:
        return _Axis(0.0, 1.0, f"probability of {named or 'each class'}", True)
    values: list[float] = []
    for each in drawn:
        curves = each.predictions[:, _curves(each), :] if len(outputs) == 1 else each.mean
        values += np.ravel(curves[..., outputs]).tolist()
    low, high = bounds(values, logarithmic=False)
    return _Axis(low, high, f"predicted {named}" if named else "prediction", False)


def _curves(of: PartialDependence) -> npt.NDArray[np.intp]:
    """Return the rows whose own curves are drawn."""
    rows = of.predictions.shape[1]
    return np.unique(np.linspace(0, rows - 1, CURVES).astype(np.intp))


def _figure(of: PartialDependence, index: int, outputs: list[int], axis: _Axis) -> Element:
    key = f"dependence-{index}"
    if of.of_numbers:
        return _lines(of, key, outputs, axis)
    return element(
        "figure",
        element("h3", of.column, id=key),
        _of_texts(of, outputs, axis),
        class_="chart",
        aria_labelledby=key,
    )


def _lines(of: PartialDependence, key: str, outputs: list[int], axis: _Axis) -> Element:
    values = of.values.tolist()
    plane = Plane(
        horizontal(values[0], values[-1]),
        vertical(axis.low, axis.high),
        of.column,
        axis.label,
    )
    nodes: list[Node] = [*plane.rug(of.rows_at.tolist())]
    if len(outputs) == 1:
        curves = of.predictions[:, _curves(of), outputs[0]].T
        nodes += [plane.line(values, curve.tolist(), class_="single") for curve in curves]
    mean = of.mean
    colors = [0] if len(outputs) == 1 else outputs  # of a class or an output the same in all charts
    nodes += [
        plane.line(values, mean[:, k].tolist(), **stroke(color))
        for k, color in zip(outputs, colors, strict=True)
    ]
    missing = ""
    if of.missing is not None:
        means = ", ".join(
            axis.text(float(of.missing[k])) + (f" for {of.outputs[k]}" if len(outputs) > 1 else "")
            for k in outputs
        )
        missing = f"Without a value: {means}."
    spoken = "; ".join(
        f"{of.outputs[k]} goes from {axis.text(float(mean[0, k]))} to "
        f"{axis.text(float(mean[-1, k]))}"
        for k in outputs
    )
    texts = aligned({row: float(value) for row, value in enumerate(values)})
    rows: list[list[Node]] = [
        [texts[row], *(axis.text(float(mean[row, k])) for k in outputs)]
        for row in range(len(values))
    ]
    table = scrolling_table(
        f"The mean prediction by {of.column}.",
        (of.column, *(of.outputs[k] for k in outputs)),
        rows,
        label=f"Dependence on {of.column}",
    )
    return plane.figure(
        of.column,
        missing,
        nodes,
        id_=key,
        spoken=spoken,
        above=legend((of.outputs[k], k, 0) for k in outputs) if len(outputs) > 1 else None,
        below=values_of_chart(of.column, table),
    )


def _of_texts(of: PartialDependence, outputs: list[int], axis: _Axis) -> Element:
    """Return the dependence on categories as a table, with dots on the axis of predictions."""
    mean = of.mean
    alone = len(outputs) == 1
    rows: list[list[Node]] = []
    for index, value in enumerate(of.values.tolist()):
        row: list[Node] = [value, percent(float(of.rows_at[index]))]
        row += [axis.text(float(mean[index, k])) for k in outputs]
        if alone:
            row.append(_dot(of.predictions[index, :, outputs[0]], axis))
        rows.append(row)
    dots = (
        " A dot is the mean, its line the range of 80 % of the rows, on an axis from "
        f"{axis.text(axis.low)} to {axis.text(axis.high)}."
        if alone
        else ""
    )
    few = _few(of)
    heads = [axis.label] if alone else [of.outputs[k] for k in outputs]
    return scrolling_table(
        f"The mean prediction by {of.column}.{few}{dots}",
        (of.column, "of the test rows", *heads, *([""] if alone else [])),
        rows,
        label=f"Dependence on {of.column}",
    )


def _few(of: PartialDependence) -> str:
    """Return how many of the categories are shown, if not all."""
    shown = len(of.values) - (of.values[-1] == NO_VALUE)
    if shown >= of.categories:
        return ""
    return f" Shown are the {shown} most frequent of {of.categories:,} categories."


def _dot(predictions: npt.NDArray[np.floating], axis: _Axis) -> Element:
    """Return the mean prediction as a dot, and a range of single rows as a line."""

    def x(value: float) -> float:
        return 4 + 112 * min(1.0, max(0.0, (value - axis.low) / (axis.high - axis.low)))

    low, high = np.quantile(predictions, OF_ROWS).tolist()
    return element(
        "svg",
        element("line", x1=4, x2=116, y1=8, y2=8, class_="grid"),
        element("line", x1=x(low), x2=x(high), y1=8, y2=8, class_="line series-0"),
        element("circle", cx=x(float(predictions.mean())), cy=8, r=4, class_="dot series-0"),
        viewBox="0 0 120 16",
        class_="dot-range",
        aria_hidden="true",
    )
