"""Two classes: the ROC curve, the Brier score, and the choice of a threshold."""

import numpy as np
import numpy.typing as npt

from handloom.markup import Element, Node, element
from handloom.metrics import accuracy, brier_score, confusion_matrix, precision_and_recall, roc_auc
from handloom.reporting.charts.line_chart import stroke
from handloom.reporting.charts.plane import Floats, Plane, horizontal, vertical
from handloom.reporting.run import ReportedRun
from handloom.reporting.section import Omission, Section
from handloom.reporting.sections.tables import scrolling_table
from handloom.reporting.wording import percent

TITLE = "Threshold: from a probability to a decision"

THRESHOLDS = tuple(tenth / 10 for tenth in range(1, 10))

MOST_POINTS = 200
"""The largest number of points of a curve."""

Classes = npt.NDArray[np.int64]


def threshold(run: ReportedRun) -> Section | Omission | None:
    """Return the ROC curve of two classes, and the metrics at several thresholds."""
    if run.model is not None and len(run.class_names) != 2:
        return None
    if run.test is None or run.predicted is None or not run.test.has_classes:
        return Omission(TITLE, run.why_missing("test", "predictions"))
    assert run.probabilities is not None
    probabilities = run.probabilities[:, 1].astype(np.float64)
    if not np.isfinite(probabilities).all():
        return Omission(TITLE, "some predictions are not finite.")
    targets, positive = run.test.targets, run.class_names[1]
    share = float(targets.mean())
    if share in (0.0, 1.0):
        return Omission(TITLE, "all test rows are of one class.")
    area = _area(run, targets, probabilities)
    brier, guessing = brier_score(targets, probabilities), share * (1.0 - share)
    text = (
        f"A row is predicted as {positive} if its probability is above a threshold, by default "
        f"50 %. The area under the ROC curve is {area:.3f}: the probability that a row of "
        f"{positive} has a higher one than a row of {run.class_names[0]}; guessing has 0.5. The "
        f"Brier score, the mean squared error of the probability, is {brier:.4f}; predicting the "
        f"share of {positive}, {percent(share)}, for all rows has {guessing:.4f}."
    )
    body = [
        element("p", text),
        element(
            "div",
            _curve(targets, probabilities, positive, area),
            _table(targets, probabilities, positive),
            class_="columns",
        ),
    ]
    return Section("threshold", TITLE, body, styles=("charts", "fit"))


def _area(run: ReportedRun, targets: Classes, probabilities: Floats) -> float:
    """Return the area of the logits if it was measured: probabilities near 1 are rounded to it."""
    measured = run.results.get("test_roc_auc")
    if isinstance(measured, float) and 0.0 <= measured <= 1.0:
        return measured
    return roc_auc(targets, probabilities)


def roc_curve(targets: Classes, scores: Floats) -> tuple[Floats, Floats]:
    """Return the ROC curve: false and true positive rates at each score, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # of equal scores
    positive = np.cumsum(targets[order] == 1)[last]
    negative = last + 1 - positive
    return (
        np.append(0.0, negative / max(1, negative[-1])),
        np.append(0.0, positive / max(1, positive[-1])),
    )


def _curve(targets: Classes, probabilities: Floats, positive: str, area: float) -> Element:
    false, true = roc_curve(targets, probabilities)
    kept = np.unique(np.linspace(0, len(false) - 1, MOST_POINTS).astype(int))
    predicted = probabilities > 0.5
    at = [float(predicted[targets == label].mean()) for label in (0, 1)]
    plane = Plane(
        horizontal(0.0, 1.0), vertical(0.0, 1.0), "false positive rate", "true positive rate"
    )
    nodes: list[Node] = [
        plane.line((0.0, 1.0), (0.0, 1.0), class_="mark"),
        plane.line(false[kept].tolist(), true[kept].tolist(), **stroke(0)),
        element("circle", cx=plane.x(at[0]), cy=plane.y(at[1]), r=4.5, class_="dot series-1"),
    ]
    return plane.figure(
        f"ROC curve of {positive}",
        "From the lower left to the upper right the threshold falls. The true positive rate is the "
        f"part of the rows of {positive} that are predicted as it, the false positive rate that of "
        f"the other rows. The point is the threshold 50 %: {percent(at[1])} and {percent(at[0])}. "
        "The dashed line is guessing.",
        nodes,
        id_="threshold-curve",
        spoken=f"area {area:.3f}",
    )


def _table(targets: Classes, probabilities: Floats, positive: str) -> Element:
    rows: list[list[Node]] = []
    for limit in THRESHOLDS:
        predicted = (probabilities > limit).astype(np.int64)
        precision, recall = precision_and_recall(confusion_matrix(targets, predicted, 2))
        rows.append(
            [
                f"{100 * limit:.0f} %",
                f"{int(predicted.sum()):,}",
                percent(float(precision[1])) if predicted.any() else "-",
                percent(float(recall[1])),
                percent(accuracy(targets, predicted)),
            ]
        )
    return scrolling_table(
        f"What a threshold does. Precision: how many rows predicted as {positive} are. Recall: how "
        f"many rows of {positive} are predicted as it. Choose by the cost of either mistake, on "
        "rows held out, not on test rows.",
        ("threshold", f"predicted {positive}", "precision", "recall", "accuracy"),
        rows,
        label="Metrics by threshold",
    )
