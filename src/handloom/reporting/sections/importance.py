"""Permutation importance: the columns of a table that the predictions depend on."""

import math

import numpy as np

from handloom.markup import Element, Node, element
from handloom.reporting.importances import LOOKED_AT, SHOWN
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.tables import scrolling_table
from handloom.reporting.wording import decimal, number, percent
from handloom.training.permutation import PermutationImportance, standard_error
from handloom.training.table_outputs import columns_of_table

TITLE = "Importance: the columns that it uses"

WIDTH = 160
"""The width of a bar of the most important column."""

NAMED = 40
"""The largest number of columns without a measurement that are named."""


def importance(run: ReportedRun) -> Section | Omission:
    """Return the permutation importance of the columns of a run."""
    measured = run.importance
    if measured is None:
        return Omission(TITLE, run.why_missing("test", "model"))
    if not np.isfinite(measured.mean).all():
        return Omission(TITLE, "some predictions are not finite.")
    if not np.isfinite(measured.scores).all():
        return Omission(TITLE, f"{measured.score} is not defined, since all targets are the same.")
    text = (
        "Each column in turn gets its values in a random order, so that they tell nothing, and the "
        f"{measured.rows:,} test rows are predicted again, {measured.losses.shape[1]} times. The "
        "more the loss increases, the more the network uses the column. Columns that tell the same "
        "share their importance. This is about the network, not about causes."
    )
    return Section(
        "importance",
        TITLE,
        [element("p", text), _table(measured), _rest(run, measured)],
        styles=("charts", "fit"),
    )


def _table(measured: PermutationImportance) -> Element:
    """Return the importance of each column: of classes by the loss, of values by R^2."""
    order, of_classes = measured.order.tolist(), measured.score == "accuracy"
    values = measured.losses if of_classes else measured.scores
    repetitions = values.shape[1]
    mean, points = values.mean(axis=1), 100 * measured.scores
    spread = standard_error(values)
    longest = float((mean + spread).max())
    decimals = 3 if longest <= 0.0 else min(9, max(0, 2 - math.floor(math.log10(longest))))
    rows: list[list[Node]] = [
        [
            measured.columns[index],
            _bar(float(mean[index]), float(spread[index]), longest),
            f"{decimal(mean[index], decimals)} \u00b1 {decimal(spread[index], decimals)}",
            *([decimal(points[index].mean(), 1)] if of_classes else []),
        ]
        for index in order
    ]
    if of_classes:
        caption = (
            "the mean increase of the cross-entropy, which is "
            f"{number(measured.loss_before)}; and the mean decrease of the accuracy, which is "
            f"{percent(measured.score_before)}, in percentage points."
        )
        heads = ["increase of the loss", "decrease of the accuracy"]
    else:
        caption = (
            f"the mean decrease of R^2, which is {measured.score_before:.3f}: by how much of the "
            "variance of the target the mean squared error increases."
        )
        heads = ["decrease of R^2"]
    return scrolling_table(
        f"Permutation importance: {caption} The thin line, and the value after \u00b1, is the "
        f"standard error of this mean over {repetitions} random orders, of the same rows: it does "
        "not include how far other rows would differ.",
        ("column", "", *heads),
        rows,
        label="Permutation importance of the columns",
    )


def _bar(mean: float, spread: float, longest: float) -> Element:
    """Return a bar with its spread as a thin line; the table has its values."""
    factor = WIDTH / longest if longest > 0.0 else 0.0
    low, high = (max(0.0, factor * each) for each in (mean - spread, mean + spread))
    return element(
        "svg",
        element("rect", x=0, y=2, width=max(0.0, factor * mean), height=10, class_="bar"),
        element("line", x1=low, x2=high, y1=7, y2=7, class_="spread"),
        viewBox=f"0 0 {WIDTH + 2} 14",
        class_="importance-bar",
        aria_hidden="true",
    )


def _rest(run: ReportedRun, measured: PermutationImportance) -> Node:
    """Return a sentence about the columns that were not measured several times."""
    assert run.model is not None
    assert run.test is not None
    names = [each.name for each in columns_of_table(run.model, run.test)]
    rest = [name for name in names if name not in measured.columns]
    if not rest:
        return None
    shown = ", ".join(rest[:NAMED]) + (", ..." if len(rest) > NAMED else "")
    looked = f"the first {LOOKED_AT:,}" if len(names) > LOOKED_AT else "all"
    return element(
        "p",
        f"Of {len(names):,} columns the {SHOWN} above were measured: those with the largest "
        f"increase at a first look at {looked}, with one order of a few rows. The rest: {shown}.",
        class_="soft",
    )
