"""Calibration: whether a probability of 80 % is right in 80 of 100 cases."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from handloom.markup import Element, Node, element
from handloom.metrics import reliability
from handloom.reporting.captions import table_caption
from handloom.reporting.constant import are_unequal
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.wording import percent

TITLE = "Calibration: does it know what it knows?"
BY_CHANCE = 2.0
"""The largest difference of a mean probability from a frequency that may be chance, in standard
errors."""

Floats = npt.NDArray[np.float64]

SIZE, LEFT, BOTTOM = 300, 46, 40
"""The sides of the diagram, and its margins."""


def calibration(run: ReportedRun) -> Section | Omission:
    """Return the reliability diagram and the expected calibration error of a run."""
    if run.test is None or run.predicted is None or not run.test.has_classes:
        return Omission(TITLE, run.why_missing("test", "predictions"))
    assert run.probabilities is not None
    confidence = run.probabilities.max(axis=1).astype(np.float64)
    if not np.isfinite(confidence).all():
        return Omission(TITLE, "some predictions are not finite.")
    correct = (run.predicted == run.test.targets).astype(np.float64)
    measured = reliability(confidence, correct)
    counts, means, accuracies = measured
    return Section(
        "calibration",
        TITLE,
        [
            element(
                "p",
                "On average the network gives its prediction a probability of "
                f"{percent(float(confidence.mean()))}, and is right in "
                f"{percent(float(correct.mean()))} of the cases{_verdict(run, confidence, correct)}"
                ". The expected calibration error is the mean distance of the points from the "
                f"diagonal, weighted by their rows: {100 * measured.error:.1f} percentage points. "
                "A calibrated network would have about "
                f"{100 * measured.chance:.1f} on as many rows, by chance.",
            ),
            element(
                "div",
                element(
                    "figure",
                    _diagram(counts, means, accuracies),
                    element(
                        "figcaption",
                        "Each point is the test rows of one interval of confidence, at their mean "
                        "confidence and their accuracy; the more rows, the larger. On the "
                        "diagonal, confidence and accuracy agree; below it the network is too "
                        "confident, by the vertical line.",
                    ),
                ),
                _table(counts, means, accuracies),
                class_="columns",
            ),
        ],
        styles=("charts", "calibration"),
    )


def _verdict(run: ReportedRun, confidence: Floats, correct: Floats) -> str:
    """Return whether probabilities are too high or too low, beyond chance.

    Of two classes of unequal size the confidence is mostly that of the frequent one, and tells
    nothing about the rare one, so its mean probability is compared with its share.
    """
    assert run.test is not None
    assert run.probabilities is not None
    counts = run.test.rows_per_class
    if len(counts) == 2 and are_unequal(counts):
        rare = int(counts.argmin())
        own = run.probabilities[:, rare].astype(np.float64)
        sign = beyond_chance(own, (run.test.targets == rare).astype(np.float64))
        verdict = ("about right", "too high", "too low")[sign]
        return (
            f". The probability of {run.class_names[rare]} is {percent(float(own.mean()))} on "
            f"average, and its share of the test rows is "
            f"{percent(float(counts[rare] / counts.sum()))}: that is {verdict}"
        )
    points = f"{100 * abs(float((confidence - correct).mean())):.1f} percentage points"
    return (
        f": the difference of {points} may be chance",
        f": it is too confident by {points}",
        f": it is too modest by {points}",
    )[beyond_chance(confidence, correct)]


def beyond_chance(probabilities: Floats, outcomes: Floats) -> Literal[-1, 0, 1]:
    """Return whether probabilities are too high (1) or too low (-1), 0 if that may be chance.

    If outcomes of 0 and 1, shape (n,), have the probabilities ``p_i``, then their sum has the
    variance ``sum_i p_i (1 - p_i)``; a difference within `BY_CHANCE` standard errors may be chance.
    """
    total = float((probabilities - outcomes).sum())
    variance = float((probabilities * (1.0 - probabilities)).sum())
    if abs(total) <= BY_CHANCE * math.sqrt(max(0.0, variance)):
        return 0
    return 1 if total > 0.0 else -1


def _diagram(counts: npt.NDArray[np.intp], means: Floats, accuracies: Floats) -> Element:
    side = SIZE - LEFT - 14
    base = SIZE - BOTTOM

    def x(value: float) -> float:
        return LEFT + value * side

    def y(value: float) -> float:
        return base - value * side

    nodes: list[Node] = []
    for tenth in (0, 20, 40, 60, 80, 100):
        at = y(tenth / 100)
        nodes.append(element("line", x1=x(0), x2=x(1), y1=at, y2=at, class_="grid"))
        nodes.append(element("text", str(tenth), x=x(0) - 7, y=at + 4, text_anchor="end"))
        nodes.append(
            element("text", str(tenth), x=x(tenth / 100), y=base + 17, text_anchor="middle")
        )
    nodes.append(element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="mark"))
    points = zip(counts.tolist(), means.tolist(), accuracies.tolist(), strict=True)
    for count, mean, accuracy in points:
        if count:
            radius = 3 + 6 * math.sqrt(count / counts.sum())
            at = x(mean)
            nodes.append(element("line", x1=at, y1=y(mean), x2=at, y2=y(accuracy), class_="gap"))
            nodes.append(element("circle", cx=at, cy=y(accuracy), r=radius, class_="dot series-0"))
    nodes.append(element("text", "confidence, %", x=x(1), y=SIZE - 4, text_anchor="end"))
    middle = (y(0) + y(1)) / 2
    nodes.append(
        element(
            "text",
            "accuracy, %",
            x=12,
            y=middle,
            text_anchor="middle",
            transform=f"rotate(-90 12 {middle:g})",
        )
    )
    return element(
        "div",
        element(
            "svg",
            nodes,
            viewBox=f"0 0 {SIZE} {SIZE}",
            role="img",
            aria_label="Reliability diagram; the table beside it has its values",
        ),
        class_="plot reliability",
    )


def _table(counts: npt.NDArray[np.intp], means: Floats, accuracies: Floats) -> Element:
    head = [element("th", text, scope="col") for text in ("confidence", "rows", "mean", "accuracy")]
    rows = [
        element(
            "tr",
            element(
                "th",
                f"{100 * index // len(counts)} to {100 * (index + 1) // len(counts)} %",
                scope="row",
            ),
            element("td", f"{int(count):,}"),
            element("td", percent(float(mean))),
            element("td", percent(float(accuracy))),
        )
        for index, (count, mean, accuracy) in enumerate(zip(counts, means, accuracies, strict=True))
        if count
    ]
    return element(
        "table",
        table_caption("Confidence and accuracy of the test rows."),
        element("thead", element("tr", head)),
        element("tbody", rows),
    )
