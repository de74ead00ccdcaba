"""The collapse: loss, gradient, second moment and steps of a run around its divergence."""

from collections.abc import Sequence

from handloom.markup import element
from handloom.reporting.charts.line_chart import LineChart, Mark, Series
from handloom.reporting.epochs import steps_per_epoch
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.collapse_story import (
    Collapse,
    gradient_norms,
    second_moments,
    story,
    weight_changes,
)
from handloom.reporting.sections.comparison import charts_section
from handloom.reporting.sections.curves import dead_units
from handloom.reporting.sections.study import diverged_at, model_of
from handloom.studies.reference import MODELS

ADAM, STEADY = "adam", "adam-steady"
AROUND, FEWEST = 150, 12
"""The numbers of steps and of epochs that are drawn before and after the divergence."""


def collapse(runs: Sequence[ReportedRun]) -> Section | Omission | None:
    """Return the story of Adam's collapse, if a run of it diverged."""
    rate = MODELS[ADAM].schedule(0)
    title = f"Why {ADAM} at {rate:g} collapses"
    own = [run for run in runs if model_of(run) == ADAM and run.history is not None]
    if not own:
        return None
    steady = next((run for run in runs if model_of(run) == STEADY and run.history), None)
    diverged = ((run, diverged_at(run)) for run in own)
    seen = next((Collapse(run, at, rate, steady) for run, at in diverged if at is not None), None)
    if seen is None:
        return Omission(title, "no run of it diverged this time.")
    charts = (_loss(seen), _moments(seen), _dead(seen), _weight_changes(seen))
    return charts_section(
        "collapse",
        title,
        [chart for chart in charts if chart is not None],
        [element("p", paragraph) for paragraph in story(seen)],
    )


def _window(seen: Collapse) -> list[int]:
    """Return the epochs around the divergence."""
    width = max(FEWEST, AROUND // seen.steps)
    return [each.epoch for each in seen.history if abs(each.epoch - seen.epoch) <= width]


def _around(seen: Collapse, name: str, values: dict[int, float]) -> Series:
    """Return values by epoch as a line over the steps around the divergence."""
    epochs = [epoch for epoch in _window(seen) if epoch in values]
    return Series(
        name, [(epoch + 1) * seen.steps for epoch in epochs], [values[epoch] for epoch in epochs]
    )


def _loss(seen: Collapse) -> LineChart:
    return LineChart(
        "loss",
        "The loss around it, without penalty",
        "The training loss without penalty before and after the jump. Above the line the network "
        "does worse than one that guesses.",
        "loss",
        [_around(seen, "loss", {each.epoch: each.data_loss for each in seen.history})],
        [Mark("x", seen.at, "it diverges"), Mark("y", seen.guessing, "guessing")],
        logarithmic=True,
        x_label="step",
    )


def _moments(seen: Collapse) -> LineChart | None:
    """Return the norms of the gradient and of the root of its second moment."""
    series = [
        _around(seen, "gradient", gradient_norms(seen.history)),
        _around(seen, "remembered by the second moment", second_moments(seen.history)),
    ]
    series = [each for each in series if each.x]
    if not series:
        return None
    return LineChart(
        "moments",
        "Gradient and second moment",
        "The norm of the gradient at the last step of each epoch, and the norm that the second "
        "moment remembers. A step compares the mean gradient of recent steps, which is not "
        "recorded, with this memory: it is about as large as the rate where they agree, larger "
        "where the mean is above, smaller where it is below, as where recent gradients cancel.",
        "norm",
        series,
        [Mark("x", seen.at, "it diverges")],
        logarithmic=True,
        x_label="step",
    )


def _dead(seen: Collapse) -> LineChart | None:
    return dead_units(
        seen.history,
        f"Dead units of {seen.run.name}",
        factor=seen.steps,
        x_label="step",
        marks=[Mark("x", seen.at, "it diverges")],
    )


def _weight_changes(seen: Collapse) -> LineChart | None:
    series = []
    for each in (seen.run, seen.steady):
        if each is None or each.history is None:
            continue
        ratios = weight_changes(each.history)
        if ratios:
            x = [(epoch + 1) * steps_per_epoch(each) for epoch in ratios]
            series.append(Series(each.name, x, list(ratios.values())))
    if not series:
        return None
    return LineChart(
        "updates",
        "How much an epoch changes the weights",
        "The norm of the change of all weights in an epoch, relative to that of the weights. At 1 "
        "the change is as large as the weights.",
        "ratio",
        series,
        [Mark("x", seen.at, "it diverges")],
        logarithmic=True,
        x_label="step",
    )
