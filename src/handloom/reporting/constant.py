"""The best constant prediction: the same for every row, learned from the training rows alone.

A model that has learned something has a lower loss on test rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.reporting.run import ReportedRun
from handloom.training.evaluation import evaluate
from handloom.training.table_outputs import without_divergence_warnings

Floats = npt.NDArray[np.float64]

UNEQUAL = 1.2
"""The size of the largest class, relative to the mean, from which classes differ in size."""


@dataclass(frozen=True)
class AgainstConstant:
    """The loss of a model on the test rows, beside that of the best constant prediction.

    Attributes
    ----------
    loss, constant : float
        The mean cross-entropy, or the mean squared error, of standardized targets of a table.
    """

    loss: float
    constant: float

    @property
    def better(self) -> bool:
        """Whether the model is better than the constant."""
        return self.loss < self.constant


def are_unequal(counts: npt.NDArray[np.integer]) -> bool:
    """Return whether classes differ in size."""
    return bool(counts.max() >= UNEQUAL * counts.mean())


def shares_of_classes(run: ReportedRun) -> Floats | None:
    """Return the share of each class of the training rows, shape (k,), or else of the test rows."""
    rows = run.test if run.train is None else run.train
    if rows is None or not rows.has_classes or not len(rows):
        return None
    shares: Floats = rows.rows_per_class / len(rows)
    return shares


def loss_of_constant(run: ReportedRun) -> float | None:
    """Return the loss of the best constant prediction on the test rows.

    Of classes it is the cross-entropy of the shares of the classes::

        -sum_c q_c log p_c

    for the shares ``p`` of the training rows and ``q`` of the test rows; of continuous targets the
    mean squared error of the mean of the training rows. None without test rows.
    """
    test = run.test
    if test is None or not len(test):
        return None
    if not test.has_classes:
        return _error_of_mean(run) if run.predicts_values else None
    shares = shares_of_classes(run)
    if shares is None or len(shares) != len(test.class_names):
        return None
    own = test.rows_per_class / len(test)
    if (shares[own > 0] == 0.0).any():  # a class without training rows
        return None
    return 0.0 - float(np.sum(own[own > 0] * np.log(shares[own > 0])))  # never -0.0


def _error_of_mean(run: ReportedRun) -> float | None:
    """Return the mean squared error of predicting the mean, of standardized targets of a table."""
    assert run.test is not None
    columns = None if run.model is None else run.model.columns
    of_table = columns is not None and columns.target is not None
    rows = run.test if run.train is None else run.train
    mean = 0.0 if of_table else rows.targets.mean(axis=0, dtype=np.float64)
    return float(np.mean((run.test.targets - mean) ** 2))


def against_constant(run: ReportedRun) -> AgainstConstant | None:
    """Return the loss of a run on its test rows beside that of the constant, if both are known."""
    constant = loss_of_constant(run)
    if constant is None or run.model is None or run.test is None:
        return None
    loss = run.results.get("test_loss")
    if not isinstance(loss, float):
        with without_divergence_warnings():
            loss = evaluate(run.model, run.test).loss
    return AgainstConstant(loss, constant)
