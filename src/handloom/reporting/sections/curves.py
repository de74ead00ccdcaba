"""Curves: loss, accuracy, learning rate and gradients over the epochs, and each layer's updates."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from handloom.charts.scales import bounds
from handloom.markup import element
from handloom.reporting.charts.line_chart import LineChart, Mark, Series
from handloom.reporting.epochs import kept_epoch
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import decimal, number
from handloom.studies.second_moments import COLUMN as SECOND_MOMENT
from handloom.training.diagnosis import LayerProbe
from handloom.training.history import COLUMNS, History

TITLE = "Curves: how the training went"
USUAL_UPDATE = 1e-3
"""The usual norm of an update relative to the weights; see `handloom.training.findings`."""

RECORDED = {
    SECOND_MOMENT: (
        "Norm of the gradient that Adam remembers",
        "The root of the summed second moments after each epoch: the norm of the gradient that "
        "Adam's steps are divided by. It remembers about 1,000 steps.",
        "norm",
    )
}
"""Title, caption and axis of the metrics that the library's own callbacks record."""


def curves(run: ReportedRun) -> Section | Omission:
    """Return the curves of a run."""
    history = run.history
    if history is None or not len(history):
        return Omission(TITLE, run.why_missing("history"))
    kept = kept_epoch(run)
    marks = [Mark("x", kept.epoch, f"best epoch {kept.epoch}")] if kept and kept.best else []
    classes = len(run.class_names)
    charts = [
        chart
        for chart in (
            _loss(history, marks, classes),
            _accuracy(history, marks),
            _rate(history),
            gradient_norm(history),
            *_recorded(history),
            _update_ratios(history),
            dead_units(history, "Dead units of each ReLU layer"),
        )
        if chart is not None
    ]
    return Section(
        "curves",
        TITLE,
        element("div", [chart.figure("curves") for chart in charts], class_="charts"),
        {"charts": {chart.key: chart.data() for chart in charts}},
        scripts=("scales", "line_chart"),
        styles=("charts",),
    )


def column(history: History, name: str, label: str) -> Series:
    """Return a column of a history as a line."""
    return Series(label, epochs_of(history), history[name].tolist(), points=len(history) <= 12)


def epochs_of(history: History) -> list[float]:
    """Return the epochs of a history, counted from 1."""
    return [record.epoch + 1 for record in history]


def _loss(history: History, marks: list[Mark], classes: int) -> LineChart:
    penalized = bool(history["penalty"].any())
    series = [column(history, "loss", "training with penalty" if penalized else "training")]
    if history.validated:
        series.append(column(history, "validation_loss", "validation"))
    if penalized:
        series.append(column(history, "data_loss", "training without penalty"))
    guess = math.log(classes) if classes > 1 else math.inf
    highest = max((v for each in series for v in each.y if v is not None), default=0.0)
    equal = Mark("y", guess, f"equal probabilities: ln {classes}")
    guessed = [equal] if highest > 0.6 * guess else []
    first = history.records[0].data_loss
    without = ", without penalty" if penalized else ""
    caption = "The lower the better. " + (
        f"Equal probabilities of all classes have the loss ln {classes} = {guess:.3f}; the first "
        f"epoch had a mean of {decimal(first, 3)}{without}."
        if math.isfinite(guess)
        else "It is the value that training makes smaller."
    )
    if history.validated:
        caption += " Where validation rises and training falls, the network learns rows by heart."
    if penalized:
        caption += (
            " Training makes the loss with penalty smaller: the loss of the predictions plus a "
            "penalty for large weights. Only the loss without penalty compares with that and "
            "with the test loss."
        )
    return LineChart("loss", "Loss", caption, "loss", series, [*marks, *guessed])


def _accuracy(history: History, marks: list[Mark]) -> LineChart | None:
    if not np.isfinite(history["accuracy"]).any():
        return None
    series = [column(history, "accuracy", "training")]
    caption = "The fraction of rows whose most probable class is right."
    if np.isfinite(history["validation_accuracy"]).any():
        series.append(column(history, "validation_accuracy", "validation"))
    return LineChart("accuracy", "Accuracy", caption, "accuracy", series, marks, logarithmic=False)


def _rate(history: History) -> LineChart:
    caption = (
        "The size of a step: how far the weights follow the gradient, at the end of each epoch."
    )
    rates = history["learning_rate"]
    if rates.min() == rates.max():
        caption += f" It is {number(float(rates[0]), 3)} in every epoch."
    elif bounds(rates.tolist(), logarithmic=False)[0] > 0.0:
        caption += (
            f" It goes from {number(float(rates[0]), 3)} to {number(float(rates[-1]), 3)}; the "
            "axis does not begin at 0."
        )
    series = [column(history, "learning_rate", "learning rate")]
    return LineChart("rate", "Learning rate", caption, "learning rate", series, logarithmic=False)


def gradient_norm(history: History) -> LineChart | None:
    """Return the norm of the whole gradient, if it was measured."""
    squares: dict[int, float] = {}
    for each in history.layer_norms:
        squares[each.epoch] = squares.get(each.epoch, 0.0) + each.gradient**2
    if not squares:
        return None
    epochs = sorted(squares)
    norms: list[float | None] = [math.sqrt(squares[epoch]) for epoch in epochs]
    series = Series("gradient norm", [epoch + 1 for epoch in epochs], norms, len(epochs) <= 12)
    caption = (
        "The norm of the gradient of all weights at the last step of each epoch. A sudden peak "
        "often comes with a jump of the loss."
    )
    return LineChart("gradient", "Gradient norm", caption, "norm", [series])


def _recorded(history: History) -> list[LineChart]:
    """Return a chart of each metric that callbacks recorded."""
    charts = []
    for index, name in enumerate(each for each in history.columns if each not in COLUMNS):
        title, caption, label = RECORDED.get(
            name,
            (name.replace("_", " ").capitalize(), "A metric that a callback recorded.", "value"),
        )
        series = [column(history, name, name.replace("_", " "))]
        charts.append(LineChart(f"recorded-{index}", title, caption, label, series))
    return charts


def _of_layers(
    history: History, value: Callable[[LayerProbe], float | None], factor: int = 1
) -> list[Series]:
    """Return a line for each layer that has a value, over the epochs times a factor."""
    lines: dict[str, tuple[list[float], list[float | None]]] = {}
    for record in history.layers:
        for layer in record.layers:
            if (measured := value(layer)) is not None:
                x, y = lines.setdefault(layer.layer, ([], []))
                x.append((record.epoch + 1) * factor)
                y.append(measured)
    return [Series(name, x, y, points=True) for name, (x, y) in lines.items()]


def _listed_epochs(series: list[Series]) -> str:
    """Return the epochs of lines in words."""
    *first, last = (f"{epoch:g}" for epoch in sorted({x for each in series for x in each.x}))
    return f"the epochs {', '.join(first)} and {last}" if first else f"epoch {last}"


def _update_ratios(history: History) -> LineChart | None:
    series = _of_layers(history, lambda layer: layer.update)
    if not series:
        return None
    return LineChart(
        "updates",
        "Update-to-weight ratio of each layer",
        "How much the last step of an epoch changed a layer, relative to its weights; measured "
        f"after {_listed_epochs(series)}. About 1e-3 is usual: far more is unstable, far "
        "less hardly learns. A rate that decays to zero takes the ratio with it.",
        "ratio",
        series,
        [Mark("y", USUAL_UPDATE, "usual: 1e-3")],
        logarithmic=True,
    )


def dead_units(
    history: History,
    title: str,
    *,
    factor: int = 1,
    x_label: str = "epoch",
    marks: Sequence[Mark] = (),
) -> LineChart | None:
    """Return the dead units of each ReLU layer over the epochs times a factor, if measured."""
    series = _of_layers(
        history, lambda layer: None if layer.dead is None else 100 * layer.dead, factor
    )
    if not series:
        return None
    return LineChart(
        "dead",
        title,
        "Units whose output is 0 for every measured row: they get no gradient from these rows, and "
        "seldom recover. A few are harmless.",
        "percent of units",
        series,
        marks,
        logarithmic=False,
        x_label=x_label,
    )
