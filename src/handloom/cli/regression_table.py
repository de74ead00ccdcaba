"""The table of the errors of a regression."""

import math

from handloom.cli.console import show_table
from handloom.data.dataset import Dataset
from handloom.training.evaluation_metrics import RegressionMetrics


def show_regression(title: str, data: Dataset, metrics: RegressionMetrics) -> None:
    """Show mean squared error, its root, mean absolute error and R^2, in the target's units."""
    rows = [
        ("mean squared error", f"{metrics.mse:.6g}"),
        ("its square root", f"{math.sqrt(metrics.mse):.6g}"),
        ("mean absolute error", f"{metrics.mae:.6g}"),
        ("R^2", f"{metrics.r2:.4f}"),
    ]
    names = ", ".join(data.class_names)
    show_table(title, ("", names), rows, caption=[f"{len(data):,} rows"])
