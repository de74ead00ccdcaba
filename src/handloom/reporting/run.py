"""ReportedRun: all that a page may tell of one training, as far as it is there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import HandloomError
from handloom.metrics import confusion_matrix
from handloom.model import Model
from handloom.parameters import Array
from handloom.reporting.importances import measured_importance
from handloom.reporting.thumbnails import Thumbnails
from handloom.training.evaluation import evaluate
from handloom.training.evaluation_metrics import RegressionMetrics
from handloom.training.grid_frames import GridFrames
from handloom.training.history import History
from handloom.training.permutation import PermutationImportance
from handloom.training.run_description import RunDescription
from handloom.training.table_outputs import without_divergence_warnings


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """One training, read from its folder or passed by a caller.

    Attributes
    ----------
    name : str
        The name of the run: that of its folder, not its path.
    model : Model or None
        With the weights at the end.
    best_model : Model or None
        With the best weights, if they were saved.
    history : History or None
    description : RunDescription or None
    results : mapping
        The metrics on the test set; empty if they are not written yet.
    probabilities : array, shape (n, k), or None
        The predictions of the test rows.
    test : Dataset or None
        The test rows, if they are those that were predicted.
    train : Dataset or None
        The training rows, if ``test`` is there.
    fingerprint : mapping or None
        The fingerprint of the training rows; see `handloom.data.fingerprint`.
    page : str or None
        The address of its own page, relative to the page about several runs.
    frames : GridFrames or None
        Predictions on a grid of one or two inputs over the epochs, if they were recorded.
    missing : mapping of str to str
        The reason why a part is None, in a sentence, by the name of the attribute.
    """

    name: str
    model: Model | None = None
    best_model: Model | None = None
    history: History | None = None
    description: RunDescription | None = None
    results: Mapping[str, Any] = field(default_factory=dict)
    probabilities: Array | None = None
    test: Dataset | None = None
    train: Dataset | None = None
    fingerprint: Mapping[str, Any] | None = None
    page: str | None = None
    frames: GridFrames | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the training; empty without a description."""
        return {} if self.description is None else self.description.settings

    @property
    def dataset(self) -> str:
        """The name of the dataset."""
        if self.model is not None:
            return self.model.trained_on
        return str(self.results.get("dataset", "unknown data"))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes or outputs; empty if they are unknown."""
        if self.model is not None:
            return self.model.classes or self.model.class_names
        return () if self.test is None else self.test.class_names

    @property
    def classifies(self) -> bool:
        """Whether predictions are probabilities of classes."""
        return self.model is not None and self.model.predicts_classes

    def classifies_images(self) -> bool:
        """Return whether it predicts the classes of images."""
        model = self.model
        return (
            model is not None
            and self.classifies
            and model.row_dtype == "uint8"
            and len(model.row_shape) in (2, 3)
        )

    @property
    def predicts_values(self) -> bool:
        """Whether predictions are continuous values, neither classes nor quantiles."""
        model = self.model
        if model is None or self.classifies:
            return False
        return model.output_activation not in ("sigmoid", "sort")

    def _is_of_flat_rows(self) -> bool:
        model = self.model
        return model is not None and len(model.row_shape) == 1 and model.row_dtype != "uint8"

    def classifies_tables(self) -> bool:
        """Return whether it predicts the classes of rows of a table."""
        return self.classifies and self._is_of_flat_rows()

    def predicts_values_of_tables(self) -> bool:
        """Return whether it predicts continuous values of rows of a table."""
        return self.predicts_values and self._is_of_flat_rows()

    @cached_property
    def regression(self) -> RegressionMetrics | None:
        """The predictions of the test rows and their errors, in the units of the target."""
        if self.model is None or self.test is None or not self.predicts_values:
            return None
        with without_divergence_warnings():  # the page shows it
            return evaluate(self.model, self.test).regression

    @cached_property
    def importance(self) -> PermutationImportance | None:
        """The importance of the columns of the test rows; None if it cannot be measured."""
        if self.model is None or self.test is None:
            return None
        try:
            with without_divergence_warnings():
                return measured_importance(self.model, self.test)
        except HandloomError:
            return None

    @cached_property
    def thumbnails(self) -> Thumbnails | None:
        """The images of the test rows; None if they are not there or are no images."""
        if self.test is None or not Thumbnails.possible(self.test):
            return None
        return Thumbnails(self.test)

    @cached_property
    def predicted(self) -> npt.NDArray[np.intp] | None:
        """The predicted classes of the test rows, shape (n,); None for continuous targets."""
        if self.probabilities is None or (self.test is not None and not self.test.has_classes):
            return None
        predicted: npt.NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return predicted

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64] | None:
        """The confusion matrix of the test rows; None if they or their predictions are missing."""
        if self.test is None or self.predicted is None or not self.test.has_classes:
            return None
        return confusion_matrix(self.test.targets, self.predicted, len(self.test.class_names))

    def why_missing(self, *parts: str) -> str:
        """Return the reason why the first of some parts is missing."""
        for part in parts:
            if part in self.missing:
                return self.missing[part]
        return "it was not recorded."
