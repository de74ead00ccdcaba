"""Evaluation of a regression: squared and absolute errors, and R^2, in the units of the targets."""

from dataclasses import dataclass

import numpy as np

from handloom.data.columns import Columns
from handloom.data.dataset import Dataset
from handloom.errors import DataError
from handloom.model import Model
from handloom.parallel.blas import single_threaded_blas
from handloom.parameters import Array


@dataclass(frozen=True)
class RegressionEvaluation:
    """The predictions of a model for continuous targets, and their errors.

    Attributes
    ----------
    loss : float
        The mean squared error of the targets of the dataset, which are standardized if it is that
        of a table.
    mse, mae : float
        The mean squared and the mean absolute error, in the units of the target column.
    r2 : float
        The fraction of the variance that is explained; NaN if the targets are constant.
    predictions : array, shape (n, k)
        In the units of the target column.
    """

    loss: float
    mse: float
    mae: float
    r2: float
    predictions: Array

    def metrics(self) -> dict[str, float | None]:
        """Return the metrics on the test set by name, None for those that are not finite."""
        named = {"loss": self.loss, "mse": self.mse, "mae": self.mae, "r2": self.r2}
        return {
            f"test_{name}": value if np.isfinite(value) else None for name, value in named.items()
        }


def evaluate_regression(model: Model, data: Dataset) -> RegressionEvaluation:
    """Evaluate a model on continuous targets.

    Raises
    ------
    DataError
        If the targets are classes, or their number is not that of the model's outputs.
    """
    if data.has_classes or data.targets.shape[1] != len(model.class_names):
        raise DataError(
            f"{data.name} must have {len(model.class_names)} continuous targets for this model"
        )
    with single_threaded_blas() as blas:
        outputs = blas.undisturbed(lambda: model.predict(data.inputs))
    with np.errstate(over="ignore", invalid="ignore"):
        loss = float(np.mean((outputs - data.targets) ** 2, dtype=np.float64))
        predictions, true = in_units(model.columns, outputs), in_units(model.columns, data.targets)
        errors = predictions - true
        variance = float(np.mean((true - true.mean(axis=0)) ** 2))
        mse = float(np.mean(errors**2))
    r2 = 1.0 - mse / variance if variance else float("nan")
    return RegressionEvaluation(loss, mse, float(np.mean(np.abs(errors))), r2, predictions)


def in_units(columns: Columns | None, values: Array) -> Array:
    """Return predictions or targets in the units of the target column, if there is one."""
    if columns is None or columns.target is None:
        return np.asarray(values, np.float64)
    return columns.target.restore(values)
