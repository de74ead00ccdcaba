"""The collapse: loss, gradient, second moment and steps of a run around its divergence."""

import math
from collections.abc import Sequence

import numpy as np

from handloom.reporting.charts.line_chart import LineChart, Mark, Series
from handloom.reporting.epochs import steps_per_epoch
from handloom.reporting.markup import Node, element
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.comparison import charts_section
from handloom.reporting.sections.study import diverged_at, model_of
from handloom.reporting.wording import percent
from handloom.studies.reference import MODELS
from handloom.studies.second_moments import COLUMN
from handloom.training.history import History

ADAM, STEADY = "adam", "adam-steady"
AROUND = 30
"""The number of epochs before and after the divergence that are drawn."""


def collapse(runs: Sequence[ReportedRun]) -> Section | Omission | None:
    """Return the story of Adam's collapse, if a run of it diverged."""
    rate = MODELS[ADAM].schedule(0)
    title = f"Why adam at {rate:g} collapses"
    own = [run for run in runs if model_of(run) == ADAM and run.history is not None]
    if not own:
        return None
    failed = [run for run in own if diverged_at(run) is not None]
    if not failed:
        return Omission(title, "no run of it diverged this time.")
    run = failed[0]
    at = diverged_at(run)
    assert at is not None
    assert run.history is not None
    epoch = at // steps_per_epoch(run)
    steady = next((each for each in runs if model_of(each) == STEADY and each.history), None)
    charts = [
        chart
        for chart in (
            _loss(run, epoch, at),
            _moments(run, epoch, at),
            _updates(run, steady, at),
        )
        if chart is not None
    ]
    return charts_section("collapse", title, charts, _story(run, steady, at, rate))


def _story(run: ReportedRun, steady: ReportedRun | None, at: int, rate: float) -> Node:
    assert run.history is not None
    ratios = _ratios(run.history)
    typical = float(np.median(list(ratios.values()))) if ratios else math.nan
    sentences = [
        f"{run.name} learns for {at:,} steps; then its loss jumps, within a few steps, above that "
        "of guessing.",
        "Adam divides the mean gradient of about the last 10 steps by the root of the mean square "
        "of about the last 1,000. So a step moves each weight by about the learning rate, however "
        f"small the gradient is: here by {rate:g}, five times the size of the initial weights "
        "(0.01).",
        "While the loss falls, gradients shrink, and so does the memory of their squares. When one "
        "batch then has a large gradient, the mean follows at once and the memory slowly: the "
        "steps grow to several times the rate, all weights in the same few directions. The loss "
        "rises, the gradient grows with it, and the next step is as large.",
    ]
    if math.isfinite(typical):
        sentences.append(_changes(run.name, typical, steady))
    return [element("p", sentence) for sentence in sentences]


def _changes(name: str, typical: float, steady: ReportedRun | None) -> str:
    """Return how much an epoch changed the weights, beside the run that does not collapse."""
    text = f"In a typical epoch {name} changed its weights by {percent(typical, 0)} of their size"
    calm = {} if steady is None or steady.history is None else _ratios(steady.history)
    if steady is None or not calm:
        return f"{text}."
    return (
        f"{text}; {steady.name}, at a tenth of the rate, by "
        f"{percent(float(np.median(list(calm.values()))), 0)}, and it does not collapse."
    )


def _window(history: History, epoch: int) -> list[int]:
    """Return the indices of the records around an epoch."""
    return [i for i, each in enumerate(history) if abs(each.epoch - epoch) <= AROUND]


def _loss(run: ReportedRun, epoch: int, at: int) -> LineChart:
    assert run.history is not None
    factor, rows = steps_per_epoch(run), _window(run.history, epoch)
    records = [run.history.records[index] for index in rows]
    series = Series(
        "loss",
        [(each.epoch + 1) * factor for each in records],
        [each.data_loss for each in records],
    )
    guess = math.log(max(2, len(run.class_names)))
    return LineChart(
        "loss",
        "The loss around it",
        "The training loss before and after the jump. Above the line the network does worse than "
        "one that guesses.",
        "loss",
        [series],
        [Mark("x", at, "it diverges"), Mark("y", guess, "guessing")],
        logarithmic=True,
        x_label="step",
    )


def _moments(run: ReportedRun, epoch: int, at: int) -> LineChart | None:
    """Return the norms of the gradient and of what the second moment remembers of it."""
    history = run.history
    assert history is not None
    factor, rows = steps_per_epoch(run), _window(history, epoch)
    epochs = {history.records[index].epoch for index in rows}
    squares: dict[int, float] = {}
    for each in history.layer_norms:
        if each.epoch in epochs:
            squares[each.epoch] = squares.get(each.epoch, 0.0) + each.gradient**2
    series = []
    if squares:
        x = sorted(squares)
        norms: list[float | None] = [math.sqrt(squares[each]) for each in x]
        series.append(Series("gradient", [(each + 1) * factor for each in x], norms))
    if COLUMN in history.columns:
        remembered = history[COLUMN]
        steps = [(history.records[index].epoch + 1) * factor for index in rows]
        values = [float(remembered[index]) for index in rows]
        series.append(Series("remembered by the second moment", steps, values))
    if not series:
        return None
    return LineChart(
        "moments",
        "Gradient and second moment",
        "The norm of the gradient at the last step of each epoch, and the norm that the second "
        "moment remembers. A step is as large as the rate where the two agree, smaller where the "
        "gradient is below, larger where it is above.",
        "norm",
        series,
        [Mark("x", at, "it diverges")],
        logarithmic=True,
        x_label="step",
    )


def _updates(run: ReportedRun, steady: ReportedRun | None, at: int) -> LineChart | None:
    series = []
    for each in (run, steady):
        if each is None or each.history is None:
            continue
        ratios = _ratios(each.history)
        factor = steps_per_epoch(each)
        if ratios:
            x = [(epoch + 1) * factor for epoch in ratios]
            series.append(Series(each.name, x, list(ratios.values())))
    if not series:
        return None
    return LineChart(
        "updates",
        "How much an epoch changes the weights",
        "The norm of the change of all weights in an epoch, relative to that of the weights. At 1 "
        "an epoch replaces the weights.",
        "ratio",
        series,
        [Mark("x", at, "it diverges")],
        logarithmic=True,
        x_label="step",
    )


def _ratios(history: History) -> dict[int, float]:
    """Return the norm of the change of all weights in each epoch, relative to the weights."""
    updates: dict[int, float] = {}
    weights: dict[int, float] = {}
    for each in history.layer_norms:
        updates[each.epoch] = updates.get(each.epoch, 0.0) + each.update**2
        weights[each.epoch] = weights.get(each.epoch, 0.0) + each.weights**2
    return {
        epoch: math.sqrt(updates[epoch] / weights[epoch])
        for epoch in sorted(updates)
        if weights[epoch] > 0.0
    }
