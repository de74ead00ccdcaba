"""Comparison: several runs side by side, their options, curves and classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from handloom.markup import Element, Node, element
from handloom.metrics import precision_and_recall
from handloom.reporting.charts.line_chart import LineChart, Series
from handloom.reporting.command import command_of
from handloom.reporting.epochs import steps_per_epoch
from handloom.reporting.groups import Group, groups_of
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.provenance import setting_text
from handloom.reporting.sections.tables import scrolling_table
from handloom.reporting.wording import amount, counted, percent, seconds, without_paths

Runs = Sequence[ReportedRun]

METRICS: Mapping[str, tuple[str, float, int | None]] = {
    "test_accuracy": ("accuracy", 100.0, 2),
    "test_r2": ("R^2", 1.0, 4),
    "test_mae": ("mean absolute error", 1.0, None),
    "test_loss": ("loss", 1.0, 4),
}
"""The results that runs are compared by: head, and factor and decimals of a spread."""

LONGEST = 10.0
"""The percentage points of the longest bar of a gain or a loss."""


def results(runs: Runs) -> Section:
    """Return the results of every run, and mean and spread over the seeds."""
    metrics = _metrics(runs)
    rows: list[list[Node]] = [
        [
            run.name,
            str(run.settings.get("seed", "-")),
            *(_metric(run.results.get(name), name) for name in metrics),
            "-" if run.history is None else len(run.history),
            "-" if run.model is None else f"{len(run.model.network.parameters):,}",
            "-" if run.history is None else seconds(float(run.history["seconds"].sum())),
        ]
        for run in runs
    ]
    columns = ("run", "seed", *metrics.values(), "epochs", "parameters", "time")
    subject = "accuracy and loss" if "test_accuracy" in metrics else "R^2, error and loss"
    body: list[Node] = [
        scrolling_table(
            f"The runs; {subject} on the test set, with the weights that a run ended with.",
            columns,
            rows,
            label="Results of the runs",
        )
    ]
    if several := [group for group in groups_of(runs) if len(group.of_each_seed) > 1]:
        body += [element("h3", "Mean and spread over the seeds"), _spreads(several, metrics)]
    return Section("results", "Results: the runs side by side", body)


def _metrics(runs: Runs) -> dict[str, str]:
    """Return the heads of the results that a run has; without any, of accuracy and loss."""
    heads = {
        name: head
        for name, (head, _, _) in METRICS.items()
        if any(isinstance(run.results.get(name), float) for run in runs)
    }
    return heads or {name: METRICS[name][0] for name in ("test_accuracy", "test_loss")}


def _metric(value: object, name: str) -> str:
    """Return a metric as text."""
    if not isinstance(value, float):
        return "-"
    if name == "test_mae":
        return amount(value)
    return percent(value, 2) if name == "test_accuracy" else f"{value:.4f}"


def _spreads(groups: Sequence[Group], metrics: Mapping[str, str]) -> Element:
    rows: list[list[Node]] = [
        [
            group.name,
            len(group.of_each_seed),
            *(_spread(group.spread(name), *METRICS[name][1:]) for name in metrics),
        ]
        for group in groups
    ]
    again = any(len(group.of_each_seed) < len(group.runs) for group in groups)
    return scrolling_table(
        "Runs that differ in their seed alone: mean \u00b1 standard deviation of single runs. By "
        "chance, means of three seeds each differ by more than this in three of ten comparisons."
        + (" Of several runs with the same seed the first one counts." if again else ""),
        ("setting", "seeds", *(_head_of_spread(name) for name in metrics)),
        rows,
        label="Mean and spread over the seeds",
    )


def _head_of_spread(name: str) -> str:
    return "accuracy, %" if name == "test_accuracy" else METRICS[name][0]


def _spread(values: tuple[float, float] | None, scale: float, digits: int | None) -> str:
    if values is None:
        return "-"
    if digits is None:
        return " \u00b1 ".join(map(amount, values))
    return " \u00b1 ".join(f"{scale * value:.{digits}f}" for value in values)


def differences(runs: Runs) -> Section | None:
    """Return the options in which the runs differ."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = [
        [name.replace("_", " "), *(_setting(run, name) for run in runs)]
        for name in names
        if len({_setting(run, name) for run in runs}) > 1
    ]
    columns = ("option", *(run.name for run in runs))
    same = "The runs have the same options." if not rows else None
    table = scrolling_table(
        "Options that are not the same in all runs.", columns, rows, label="Options that differ"
    )
    return Section(
        "differences", "Options: what was different", element("p", same) if same else table
    )


def _setting(run: ReportedRun, name: str) -> str:
    value = run.settings.get(name)
    return "-" if value is None else without_paths(setting_text(value))


def curves_together(runs: Runs) -> Section | Omission:
    """Return the curves of all runs over each other."""
    title = "Curves: the runs over each other"
    if not any(run.history is not None and len(run.history) for run in runs):
        return Omission(title, "no run has a history yet.")
    charts = [
        chart
        for chart in (
            together(runs, "loss", "Training loss", "The lower the better."),
            together(runs, "validation_loss", "Validation loss", "On rows held out."),
            together(runs, "accuracy", "Training accuracy", "The fraction of correct predictions."),
            together(runs, "validation_accuracy", "Validation accuracy", "On rows held out."),
            together(runs, "learning_rate", "Learning rate", "At the end of each epoch."),
        )
        if chart is not None
    ]
    return charts_section("curves", title, charts)


def charts_section(
    section: str, title: str, charts: Sequence[LineChart], before: Node = None, after: Node = None
) -> Section:
    """Return a section of charts."""
    figures = element("div", [chart.figure(section) for chart in charts], class_="charts")
    return Section(
        section,
        title,
        [before, figures, after],
        {"charts": {chart.key: chart.data() for chart in charts}},
        scripts=("scales", "line_chart"),
        styles=("charts",),
    )


def together(
    runs: Runs, column: str, title: str, caption: str, *, logarithmic: bool | None = None
) -> LineChart | None:
    """Return a column of the histories of all runs in one chart.

    Each setting has a color, and each seed of it a pattern; so lines that coincide are seen.
    """
    series = []
    sizes = {steps_per_epoch(run) for run in runs if run.history is not None}
    by_step = len(sizes) > 1 or any("study" in run.settings for run in runs)
    groups = {_label(group): group for group in groups_of(runs)}
    alone = len(groups) == 1  # of one setting each seed has a color
    for label, group in groups.items():
        for index, run in enumerate(group.runs):
            if run.history is None or column not in run.history.columns:
                continue
            values = run.history[column]
            if not np.isfinite(values).any():
                continue
            factor = steps_per_epoch(run) if by_step else 1
            x = [(record.epoch + 1) * factor for record in run.history]
            name = _line_name(run, group)
            legend = name if alone else label
            series.append(Series(name, x, values.tolist(), len(x) <= 12, legend, index))
    if not series:
        return None
    return LineChart(
        column.replace("_", "-"),
        title,
        f"{caption}{_coinciding(series)}",
        column.replace("_", " "),
        series,
        logarithmic=logarithmic,
        x_label="step" if by_step else "epoch",
        order=[each.label for each in series] if alone else list(groups),
    )


def _coinciding(series: Sequence[Series]) -> str:
    """Return a sentence where lines lie over each other: all of them, or those of each legend."""
    lines = [(each.label, (tuple(each.x), tuple(each.y))) for each in series]
    if len(lines) > 1 and len({points for _, points in lines}) == 1:
        return " The lines coincide: all runs have the same values."
    if len(lines) > len(set(lines)) == len({label for label, _ in lines}):
        return " The lines of all seeds of a setting coincide."
    return ""


def _line_name(run: ReportedRun, group: Group) -> str:
    """Return the name of a run, with its seed where several differ in it alone."""
    seed = run.settings.get("seed")
    told = len(group.runs) < 2 or seed is None or f"seed{seed}" in run.name
    return run.name if told else f"{run.name} (seed {seed})"


def _label(group: Group) -> str:
    """Return the name of a group in a legend."""
    seeds = len(group.of_each_seed)
    return f"{group.name} ({counted(seeds, 'seed')})" if seeds > 1 else group.name


def classes(runs: Runs) -> Section | Omission | None:
    """Return the gains and losses of every class, relative to the first run."""
    title = "Recall of each class: gains and losses"
    if any(run.predicts_values for run in runs):
        return None
    known = [run for run in runs if run.confusion is not None]
    if len(known) < 2:
        return Omission(title, runs[0].why_missing("test", "predictions"))
    first, names = known[0], known[0].class_names
    others = [run for run in known[1:] if run.class_names == names]
    if not others:
        return Omission(title, "the runs have other classes.")
    base = _recall(first)
    gains = np.array([100 * (_recall(run) - base) for run in others])
    longest = min(LONGEST, max(1.0, float(np.abs(gains).max())))
    chance = points_by_chance(
        [run.confusion for run in (first, *others) if run.confusion is not None]
    )
    rows: list[list[Node]] = [
        [
            name,
            percent(float(base[label])),
            *(_gain(float(own[label]), longest) for own in gains),
            f"{chance[label]:.1f}",
        ]
        for label, name in enumerate(names)
    ]
    clipped = (
        f" Bars end at {longest:g} points; an arrow marks those that are longer."
        if (np.abs(gains) > longest).any()
        else ""
    )
    return Section(
        "classes",
        title,
        scrolling_table(
            f"Recall of each class: of {first.name}, and how many percentage points the other runs "
            f"are above (+) or below (\u2212) it. All bars have one scale.{clipped} A "
            "difference up to the last column, two standard errors, may be one of other test rows; "
            "of ten classes, one is beyond by chance in about one table of three. Another seed "
            "makes differences of its own.",
            ("class", first.name, *(run.name for run in others), "other rows"),
            rows,
            label="Table of gains and losses",
        ),
        styles=("comparison",),
    )


def points_by_chance(confusions: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
    """Return two standard errors of a difference of two recalls for each class, in points.

    They are ``2 sqrt(2 r (1 - r) / n)`` for ``n`` rows of the class, and less if both networks have
    trouble with the same rows. The recall ``r`` is that of all runs together, by Laplace's rule of
    succession, so that it is never 0 or 1.
    """
    together = np.sum(confusions, axis=0)
    rows = np.maximum(1, confusions[0].sum(axis=1))
    recall = (np.diag(together) + 1) / (together.sum(axis=1) + 2)
    points: npt.NDArray[np.float64] = 200.0 * np.sqrt(2.0 * recall * (1.0 - recall) / rows)
    return points


def _recall(run: ReportedRun) -> npt.NDArray[np.float64]:
    assert run.confusion is not None
    recall: npt.NDArray[np.float64] = np.nan_to_num(precision_and_recall(run.confusion)[1])
    return recall


def _gain(points: float, longest: float) -> Element:
    """Return a difference in percentage points as a bar, up to the longest, and a number."""
    kind = "gain" if points > 0.05 else "loss" if points < -0.05 else "same"
    sign = "+" if points > 0 else "\u2212"
    clipped = abs(points) > longest
    width = 33.0 if clipped else 40 * abs(points) / longest
    bar: list[Node] = [
        element("rect", x=40 if points > 0 else 40 - width, y=2, width=width, height=8)
    ]
    if clipped:
        bar.append(element("path", d="M73 0L80 6L73 12Z" if points > 0 else "M7 0L0 6L7 12Z"))
    return element(
        "span",
        element("svg", bar, viewBox="0 0 80 12", class_="gain-bar", aria_hidden="true"),
        element("span", f"{sign}{abs(points):.1f}" if kind != "same" else "0.0"),
        class_=f"gain {kind}",
    )


def commands(runs: Runs) -> Section:
    """Return the command of every run, and its versions."""
    lines = [command for run in runs if (command := command_of(run)) is not None]
    versions = {
        ", ".join(f"{name} {version}" for name, version in each.get("versions", {}).items())
        for run in runs
        if run.description is not None
        for each in run.description.environments[-1:]
        if isinstance(each.get("versions"), dict)
    }
    prints = {str(run.fingerprint["sha256"]) for run in runs if run.fingerprint is not None}
    return Section(
        "provenance",
        "Provenance: how to run it again",
        [
            element("p", "The commands that do it again:"),
            element("pre", element("code", "\n".join(lines))),
            [element("p", f"Versions: {each}.") for each in sorted(versions)],
            [element("p", f"SHA-256 of the training rows: {each}") for each in sorted(prints)],
        ],
    )
