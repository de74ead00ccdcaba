"""The collapse: loss, gradient, second moment and steps of a run around its divergence."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from handloom.reporting.charts.line_chart import LineChart, Mark, Series
from handloom.reporting.epochs import steps_per_epoch
from handloom.reporting.markup import Node, element
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.comparison import charts_section
from handloom.reporting.sections.study import diverged_at, model_of
from handloom.reporting.wording import number, percent
from handloom.studies.reference import MODELS
from handloom.studies.second_moments import COLUMN
from handloom.training.history import History

ADAM, STEADY = "adam", "adam-steady"
AROUND, FEWEST = 150, 12
"""The numbers of steps and of epochs that are drawn before and after the divergence."""

NEAR = 2
"""The number of epochs around the divergence in which the largest gradient is looked for."""


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
    epoch = (at - 1) // steps_per_epoch(run)
    steady = next((each for each in runs if model_of(each) == STEADY and each.history), None)
    charts = [
        chart
        for chart in (
            _loss(run, epoch, at),
            _moments(run, epoch, at),
            _weight_changes(run, steady, at),
        )
        if chart is not None
    ]
    return charts_section("collapse", title, charts, _story(run, steady, at, rate))


def _story(run: ReportedRun, steady: ReportedRun | None, at: int, rate: float) -> Node:
    history = run.history
    assert history is not None
    epoch = (at - 1) // steps_per_epoch(run)
    ratios = _ratios(history)
    sentences = [
        f"{run.name} learns for some time; at step {at:,} its loss has jumped above that of "
        "guessing.",
        "Adam divides the mean gradient of about the last 10 steps by the root of the mean square "
        "of about the last 1,000. So a step moves a weight by about the learning rate, however "
        f"small the gradient is: here by {rate:g}, five times the size of the initial weights, "
        "0.01.",
        *_forgotten(history, epoch),
        *_stuck(history),
    ]
    before = [ratio for each, ratio in ratios.items() if each <= epoch]
    if before:
        sentences.append(_changes(run.name, float(np.median(before)), epoch, steady))
    return [element("p", sentence) for sentence in sentences]


def _forgotten(history: History, epoch: int) -> Iterator[str]:
    """Yield how the second moment shrank before the jump, and how large the gradient then was."""
    norms = _gradient_norms(history)
    if COLUMN not in history.columns or not norms:
        return
    stored = dict(zip((each.epoch for each in history), history[COLUMN], strict=True))
    before = [value for each, value in stored.items() if each < epoch]
    near = [value for each, value in norms.items() if abs(each - epoch) <= NEAR]
    if before and near:
        yield (
            "While the loss fell, gradients shrank, and so did the memory of their squares: the "
            f"norm that it remembers went from {number(before[0], 2)} down to "
            f"{number(min(before), 2)}. Then a gradient of norm {number(max(near), 2)} came. The "
            "mean follows within 10 steps and the memory takes hundreds, so the steps grew. "
            "The loss rose, the gradient with it, and the next steps were as large."
        )


def _stuck(history: History) -> Iterator[str]:
    """Yield why the training does not recover."""
    last = history.layers[-1].layers if history.layers else ()
    dead = [(each.dead, each.layer) for each in last if each.dead is not None]
    if dead and max(dead)[0] > 0.5:
        share, layer = max(dead)
        yield (
            f"It does not recover: at the end {percent(share, 0)} of the units of {layer} are "
            "dead, so that hardly any gradient passes, and the second moment remembers the jump "
            "for hundreds of steps, which makes the steps of the others small."
        )


def _changes(name: str, typical: float, epoch: int, steady: ReportedRun | None) -> str:
    """Return how much an epoch changed the weights, beside the run that does not collapse."""
    share = percent(typical, 0)
    text = f"Until then an epoch of {name} changed the weights by {share} of their norm"
    calm = {} if steady is None or steady.history is None else _ratios(steady.history)
    own = [ratio for each, ratio in calm.items() if each <= epoch]
    if steady is None or not own:
        return f"{text}."
    return (
        f"{text}. {steady.name}, at a tenth of the rate, began like it, came down to "
        f"{percent(own[-1], 0)} at the same step, and learned on."
    )


def _window(run: ReportedRun, epoch: int) -> list[int]:
    """Return the indices of the records around an epoch."""
    assert run.history is not None
    width = max(FEWEST, AROUND // steps_per_epoch(run))
    return [i for i, each in enumerate(run.history) if abs(each.epoch - epoch) <= width]


def _loss(run: ReportedRun, epoch: int, at: int) -> LineChart:
    assert run.history is not None
    factor, rows = steps_per_epoch(run), _window(run, epoch)
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
    factor, rows = steps_per_epoch(run), _window(run, epoch)
    shown = {history.records[index].epoch for index in rows}
    norms = {each: norm for each, norm in _gradient_norms(history).items() if each in shown}
    series = []
    if norms:
        series.append(
            Series("gradient", [(each + 1) * factor for each in norms], list(norms.values()))
        )
    if COLUMN in history.columns:
        norms_of_moment = history[COLUMN]
        steps = [(history.records[index].epoch + 1) * factor for index in rows]
        values = [float(norms_of_moment[index]) for index in rows]
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


def _weight_changes(run: ReportedRun, steady: ReportedRun | None, at: int) -> LineChart | None:
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


def _gradient_norms(history: History) -> dict[int, float]:
    """Return the norm of the gradient of all weights at the last step of each epoch."""
    squares: dict[int, float] = {}
    for each in history.layer_norms:
        squares[each.epoch] = squares.get(each.epoch, 0.0) + each.gradient**2
    return {epoch: math.sqrt(squares[epoch]) for epoch in sorted(squares)}


def _ratios(history: History) -> dict[int, float]:
    """Return the norm of the change of all weights in each epoch, relative to the weights."""
    changes: dict[int, float] = {}
    weights: dict[int, float] = {}
    for each in history.layer_norms:
        changes[each.epoch] = changes.get(each.epoch, 0.0) + each.update**2
        weights[each.epoch] = weights.get(each.epoch, 0.0) + each.weights**2
    return {
        epoch: math.sqrt(changes[epoch] / weights[epoch])
        for epoch in sorted(changes)
        if weights[epoch] > 0.0
    }
