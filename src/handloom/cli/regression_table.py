"""The table of the errors of a regression."""

import math

from handloom.cli.console import show_table
from handloom.data.dataset import Dataset
from handloom.training.regression import RegressionEvaluation


def show_regression(title: str, data: Dataset, evaluation: RegressionEvaluation) -> None:
    """Show mean squared error, its root, mean absolute error and R^2, in the target's units."""
    rows = [
        ("mean squared error", f"{evaluation.mse:.6g}"),
        ("its square root", f"{math.sqrt(evaluation.mse):.6g}"),
        ("mean absolute error", f"{evaluation.mae:.6g}"),
        ("R^2", f"{evaluation.r2:.4f}"),
    ]
    names = ", ".join(data.class_names)
    show_table(title, ("", names), rows, caption=[f"{len(data):,} rows"])
