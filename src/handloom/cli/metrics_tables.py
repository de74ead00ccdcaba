"""The metrics of an evaluation: tables of a regression or quantiles, lines of two classes."""

import shlex

from handloom.cli.console import show_table
from handloom.data.dataset import Dataset
from handloom.training import Evaluation
from handloom.training.evaluation_metrics import QuantileMetrics, RegressionMetrics

MEAN, MEDIAN = "predicting the mean", "predicting the median"


def show_regression(
    title: str,
    data: Dataset,
    metrics: RegressionMetrics,
    baseline: RegressionMetrics,
    mae_of_median: float,
) -> None:
    """Show the errors of a regression, and beside them those of predicting the mean.

    They are the root of the mean squared error and the mean absolute error, in the units of the
    target, the mean squared error, and R^2. The best constant of the absolute error is the median,
    not the mean.
    """
    both = (metrics, baseline)
    rows = [
        ("root mean squared error", *(f"{each.rmse:.6g}" for each in both), ""),
        ("mean absolute error", *(f"{each.mae:.6g}" for each in both), f"{mae_of_median:.6g}"),
        ("mean squared error", *(f"{each.mse:.6g}" for each in both), ""),
        ("R^2", *(f"{each.r2:.4f}" for each in both), ""),
    ]
    names = ", ".join(data.class_names)
    show_table(title, ("", names, MEAN, MEDIAN), rows, caption=[f"{len(data):,} rows"])


def show_quantiles(title: str, data: Dataset, metrics: QuantileMetrics) -> None:
    """Show the share of targets below each quantile, and its loss in units of the target."""
    rows = [
        (f"quantile {q:g}", f"{share:.4f}", f"{loss:.6g}")
        for q, share, loss in zip(metrics.quantiles, metrics.coverage, metrics.losses, strict=True)
    ]
    names = ", ".join(data.class_names)
    heads = (names, "fraction of rows at or below it", "pinball loss")
    show_table(title, heads, rows, caption=[f"{len(data):,} rows"])


def of_two_classes(evaluation: Evaluation, names: tuple[str, ...], other: str = "") -> list[str]:
    """Return lines with the metrics of two classes, which accuracy alone does not show.

    Parameters
    ----------
    evaluation : Evaluation
    names : tuple of str
    other : str
        The option by which the other class becomes the positive one, if there is one.
    """
    if (binary := evaluation.binary) is None:
        return []
    rows = evaluation.confusion.sum(axis=1)
    (negative,) = (name for name in names if name != binary.positive)
    other = f" (for the other: {other} {shlex.quote(negative)})" if other else ""
    share, most = rows.max() / rows.sum(), names[int(rows.argmax())]
    return [
        f"ROC AUC {binary.roc_auc:.4f}, Brier score {binary.brier:.4f}; {binary.positive}, the "
        f"positive class, is predicted above the probability {binary.threshold:g}{other}",
        f"predicting {most} for all rows has accuracy {share:.4f}",
    ]
