"""The continuous outputs of a run: their true and predicted values, in the units of the target."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from handloom.charts.scales import very_skewed
from handloom.data.input_columns import decimal_text
from handloom.data.table_target import TableTarget
from handloom.randomness import Purpose, Stream
from handloom.reporting.run import ReportedRun
from handloom.reporting.wording import amount

Floats = npt.NDArray[np.float64]

SHOWN = 4
"""The largest number of outputs of a page."""

POINTS, EXTREMES = 1_500, 30
"""The largest number of rows of a chart, and how many with the largest errors are among them."""


@dataclass(frozen=True, eq=False)
class Output:
    """One continuous output, for all test rows.

    Attributes
    ----------
    name : str
    true, predicted : array of float64, shape (n,)
    constant, median : float
        The mean and the median of the targets, by which predictions without a network are made.
    of_training : bool
        Whether they are those of the training rows, not of the test rows.
    target : TableTarget or None
        The target column of a table.
    """

    name: str
    true: Floats
    predicted: Floats
    constant: float
    median: float
    of_training: bool
    target: TableTarget | None = None

    def true_texts(self, rows: npt.NDArray[np.intp]) -> list[str]:
        """Return the true values of some rows, in the raw table."""
        values, target = self.true[rows].tolist(), self.target
        if target is None:
            return [amount(value, 6) for value in values]
        if target.scaling != "standardize":
            return [f"{value:,.6g}" for value in values]
        stored = [(value - target.mean) / target.scale for value in values]
        texts = [decimal_text(each, target.mean, target.scale) for each in stored]
        return [f"{float(text):,.15g}" for text in texts]

    @property
    def residuals(self) -> Floats:
        """True minus predicted values, shape (n,): above 0 where a prediction is too low."""
        return self.true - self.predicted

    @cached_property
    def logarithmic(self) -> bool:
        """Whether its axes are logarithmic: all targets are positive, and very skewed."""
        return very_skewed(self.true)

    @cached_property
    def largest(self) -> npt.NDArray[np.intp]:
        """The rows by their errors, the largest first, shape (n,)."""
        return np.argsort(-np.abs(self.residuals), kind="stable")

    @cached_property
    def drawn(self) -> npt.NDArray[np.intp]:
        """The rows of a chart: all, or a random part and those with the largest errors."""
        rows = len(self.true)
        if rows <= POINTS:
            return np.arange(rows)
        order = Stream(0).at(Purpose.PERMUTE).generator().permutation(rows)
        return np.unique([*order[: POINTS - EXTREMES], *self.largest[:EXTREMES]])

    @property
    def drawn_note(self) -> str:
        """A sentence about the rows of a chart; empty if they are all."""
        if len(self.drawn) == len(self.true):
            return ""
        return (
            f" Drawn are {len(self.drawn):,} of the {len(self.true):,} test rows: a random sample, "
            f"and the {EXTREMES} with the largest errors."
        )


def outputs_of(run: ReportedRun) -> list[Output] | None:
    """Return the first outputs of a run; None if they are missing, or some are not finite."""
    metrics = run.regression
    if metrics is None or not np.isfinite(metrics.residuals).all():
        return None
    true, predicted = metrics.predictions + metrics.residuals, metrics.predictions
    constants: npt.NDArray[np.floating] = true.mean(axis=0)
    medians: npt.NDArray[np.floating] = np.median(true, axis=0)
    columns = None if run.model is None else run.model.columns
    target = None if columns is None else columns.target
    if run.train is not None:
        constants = run.train.targets.mean(axis=0, dtype=np.float64)
        medians = np.median(run.train.targets, axis=0)
        if target is not None:
            constants, medians = np.array([target.constant]), target.restore(medians)
    return [
        Output(
            name,
            true[:, index].astype(np.float64),
            predicted[:, index].astype(np.float64),
            float(constants[index]),
            float(medians[index]),
            run.train is not None,
            target,
        )
        for index, name in enumerate(run.class_names[:SHOWN])
    ]


def why_no_outputs(run: ReportedRun) -> str:
    """Return the reason why `outputs_of` a run is None."""
    if run.regression is not None:
        return "some predictions are not finite."
    return run.why_missing("test", "model", "predictions")
