"""Evaluation of a model on a dataset: predictions of classes, of two classes, or a regression."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from handloom.data.columns import require_same_columns
from handloom.data.dataset import Dataset, require_channels_first
from handloom.data.test_time_augmentation import View, named_views
from handloom.errors import ConfigurationError, DataError, ModelError, require_instance
from handloom.layers import softmax
from handloom.losses import Pinball, SoftmaxCrossEntropy
from handloom.markup import render
from handloom.metrics import accuracy, confusion_matrix, mean_squared_error
from handloom.model import Model
from handloom.parallel.blas import single_threaded_blas
from handloom.parameters import Array
from handloom.predictions import OUTPUT_ACTIVATIONS, warn_if_not_finite
from handloom.training.datasets import require_dataset, require_model
from handloom.training.evaluation_metrics import (
    DEFAULT_THRESHOLD,
    BinaryMetrics,
    QuantileMetrics,
    RegressionMetrics,
    checked_positive,
    checked_threshold,
    logit,
)
from handloom.training.evaluation_view import evaluation_view

Result = TypeVar("Result")


@dataclass(frozen=True)
class Evaluation:
    """The predictions of a model for a dataset, and their metrics.

    Attributes
    ----------
    loss : float
        The mean cross-entropy, without penalty. Of a regression it is the mean squared error,
        whatever the loss of its training, or the mean pinball loss of several quantiles; of
        standardized targets if they are of a table.
    accuracy : float
        The fraction of correct predictions; NaN for a regression.
    probabilities : array, shape (n, k)
        Of a regression it has no columns.
    confusion : array of int64, shape (k, k)
        The number of rows of each true class (first axis) and predicted class (second axis).
    of_views : Evaluation or None
        The same from the mean of the logits over several views of each row; None without views.
    binary : BinaryMetrics or None
        ROC AUC, Brier score and threshold, if there are two classes.
    regression : RegressionMetrics or None
        Errors, R^2, predictions and residuals, if targets are continuous; in the units of the
        target column of a table.
    class_names : tuple of str, length k
        The names of the classes, or of the outputs of a regression.
    targets : array of int64, shape (n,), or None
        The true class of each row; None for a regression.
    dataset : str
        The name of the dataset.
    standardized : bool
        Whether the loss is of the standardized targets of a table, not in their units.
    quantiles : QuantileMetrics or None
        Pinball losses, coverage and predictions, if several quantiles are predicted; in the units
        of the target column of a table.
    """

    loss: float
    accuracy: float
    probabilities: Array
    confusion: npt.NDArray[np.int64]
    of_views: "Evaluation | None" = None
    binary: BinaryMetrics | None = None
    regression: RegressionMetrics | None = None
    class_names: tuple[str, ...] = ()
    targets: npt.NDArray[np.int64] | None = None
    dataset: str = "unnamed"
    standardized: bool = False
    quantiles: QuantileMetrics | None = None

    def _repr_html_(self) -> str:
        """Return the metrics and the confusion matrix, as a notebook shows them."""
        figures = {self._name_of_loss: self.loss, "accuracy": self.accuracy}
        if self.quantiles is not None:
            pairs = zip(self.quantiles.quantiles, self.quantiles.coverage, strict=True)
            figures = {"pinball loss": self.loss} | {f"below quantile {q:g}": c for q, c in pairs}
        if self.binary is not None:
            figures |= {"ROC AUC": self.binary.roc_auc, "Brier score": self.binary.brier}
        if self.regression is not None:
            metrics = self.regression
            errors = {"RMSE": metrics.rmse, "MAE": metrics.mae, "R²": metrics.r2}
            figures = {**errors, self._name_of_loss: self.loss}
        return render(evaluation_view(self.dataset, figures, self.confusion, self.class_names))

    @property
    def _name_of_loss(self) -> str:
        if self.regression is None:
            return "loss"
        return f"mean squared error{', standardized' if self.standardized else ''}"

    def __repr__(self) -> str:
        rows = f"{len(self.probabilities):,} rows"
        shown = [rows, f"loss={self.loss:.4g}"]
        if self.regression is not None:
            squared = f"loss={self.loss:.4g} ({self._name_of_loss})"
            shown = [squared, repr(self.regression)]
        elif self.quantiles is not None:
            shown.append(repr(self.quantiles))
        else:
            shown.append(f"accuracy={self.accuracy:.4g}, {len(self.confusion)} classes")
        if self.binary is not None:
            shown.append(repr(self.binary))
        if self.of_views is not None:
            shown.append(f"of_views={self.of_views!r}")
        return f"Evaluation({', '.join(shown)})"


def evaluate(
    model: Model,
    data: Dataset,
    views: Sequence[View] = (),
    *,
    threshold: float | None = None,
    positive: str | None = None,
) -> Evaluation:
    """Evaluate a model on a dataset.

    A model of classes is evaluated on rows with one class each. A model with ``binary_classes``, or
    with a single output and a sigmoid, on targets of 0 and 1, has two columns of probabilities, the
    second one of the positive class. Any other model is a regression, evaluated on continuous
    targets; one of several quantiles of one target has the loss and the coverage of each.

    Outputs that are not finite raise a `DivergenceWarning`; their rows count as the first class.

    Parameters
    ----------
    model : Model
    data : Dataset
    views : sequence of View, optional
        Transformations of each image for test-time augmentation, such as
        `handloom.data.test_time_augmentation.MIRRORED`. The metrics of their mean are in
        ``of_views``; all others are those of the original rows.
    threshold : float, optional
        Of two classes: the probability of the positive one above which it is predicted; by default
        1/2, where the first class is predicted if both have the same.
    positive : str, optional
        Of two classes: the name of the positive one, by default the second. Only ``threshold`` and
        ``binary`` depend on it.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If the dataset has other classes than the model, rows are not images and ``views`` is
        passed, or targets of a single output with a sigmoid are not 0 or 1.
    ModelError
        If rows have another size than the input, targets are continuous and the model's are
        classes, or the reverse, or the model predicts several labels.
    ConfigurationError
        If ``model`` is no `Model`, ``data`` no `Dataset`, the threshold is not between 0 and 1,
        ``positive`` is no class, or a regression has views, a threshold or a positive class.
    """
    require_model(model)
    require_dataset("data", data)
    if model.quantiles is None or data.has_classes:
        check_kind(model, data)
    require_same_columns(data.column_names, model.column_names, "rows")
    model.check_rows(data.inputs)
    names = evaluated_classes(model, data)
    limit = checked_threshold(threshold, binary=len(names) == 2)
    index = checked_positive(positive, names)
    views = _checked_views(views)
    if not names and model.quantiles is not None:
        return _of_quantiles(model, data, views, model.quantiles)
    if not names:
        return _regression(model, data, views)
    targets = data.targets if data.has_classes else _zeros_and_ones(data)
    if views and data.inputs.ndim < 3:
        raise DataError(
            f"views are of images: rows must have the shape (y, x) or (c, y, x), "
            f"got {data.input_shape}"
        )
    if views:
        require_channels_first(data)
    logits = _logits(model, data, View())
    warn_if_not_finite(logits)
    of_views = None
    evaluation = partial(
        _evaluation,
        targets=targets,
        names=names,
        dataset=data.name,
        threshold=limit,
        positive=index,
    )
    if views:
        each = {view: logits if view == View() else _logits(model, data, view) for view in views}
        mean: Array = np.stack([each[view] for view in views]).mean(axis=0)
        of_views = _held(partial(evaluation, mean))
    return replace(_held(partial(evaluation, logits)), of_views=of_views)


def check_kind(model: Model, data: Dataset) -> None:
    """Check that a model predicts the kind of targets that the dataset has, and the same names."""
    if data.has_classes != model.predicts_classes:
        own, other, hint = "classes", "continuous targets", ""
        if data.has_classes:
            own, other = other, own
        if data.has_classes and model.output_activation == "sigmoid":
            hint = ": pass classes of 0 and 1 as targets[:, None].astype('float32')"
        raise ModelError(
            f"a model of {own} is evaluated on rows with {own}, got {other} in {data.name}{hint}"
        )
    if model.output_activation == "sort":
        raise ModelError(
            "several quantiles have no common error: pass each column of "
            "model.predict(data.inputs) with data.targets to handloom.Pinball(quantile)"
        )
    several_labels = model.output_activation == "sigmoid" and len(model.class_names) > 1
    if several_labels and not data.has_classes:
        raise ModelError(
            "only predictions of one class a row, or of continuous targets, are evaluated: compare "
            "several labels, model.predict(data.inputs) > 0.5, with data.targets"
        )
    known = model.classes or model.class_names
    if not data.has_classes and len(known) == len(data.class_names) == 1:
        return
    if data.class_names != known:
        where = "binary_classes" if model.binary_classes else "class_names"
        kind = "classes" if data.has_classes else "targets"
        raise DataError(
            f"the dataset must have the model's {kind} {', '.join(known)}, "
            f"got {', '.join(data.class_names)}: match labels by name with "
            f"Dataset(inputs, targets, class_names=model.{where})"
        )


def evaluated_classes(model: Model, data: Dataset) -> tuple[str, ...]:
    """Return the names of the classes of an evaluation, two for a sigmoid; none of a regression."""
    if data.has_classes:
        return data.class_names
    if model.output_activation == "sigmoid":
        return f"not {model.class_names[0]}", model.class_names[0]
    return ()


def _zeros_and_ones(data: Dataset) -> npt.NDArray[np.int64]:
    """Return the targets of a single output with a sigmoid as classes, shape (n,)."""
    values = data.targets[:, 0]
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        raise DataError(
            f"the targets of {data.name} must be 0 or 1, as those of a single output with a "
            f"sigmoid, got {values[wrong][0]:g}"
        )
    return values.astype(np.int64)


def _continuous(model: Model, data: Dataset, views: tuple[View, ...]) -> Array:
    """Return continuous predictions, shape (n, k), as the targets of the dataset."""
    if views:
        raise ConfigurationError("views are for predictions of classes, got a regression")
    outputs = _held(partial(model.before_loss.predict, data.inputs, model.transform))
    warn_if_not_finite(outputs)
    with np.errstate(over="ignore", invalid="ignore"):
        return OUTPUT_ACTIVATIONS[model.output_activation](outputs)


def _of_quantiles(
    model: Model, data: Dataset, views: tuple[View, ...], quantiles: tuple[float, ...]
) -> Evaluation:
    if len(data.class_names) != 1:
        raise ModelError(
            f"a model of several quantiles is evaluated on rows with one continuous target, got "
            f"{len(data.class_names)} in {data.name}"
        )
    predictions = _continuous(model, data, views)
    with np.errstate(over="ignore", invalid="ignore"):
        loss, _ = Pinball(quantiles)(predictions.copy(), data.targets)
        metrics = QuantileMetrics.of(quantiles, *_in_units(model, data.targets, predictions))
    return Evaluation(
        loss=loss,
        accuracy=math.nan,
        probabilities=np.empty((len(data), 0), predictions.dtype),
        confusion=np.empty((0, 0), np.int64),
        class_names=data.class_names,
        dataset=data.name,
        quantiles=metrics,
    )


def _regression(model: Model, data: Dataset, views: tuple[View, ...]) -> Evaluation:
    predictions = _continuous(model, data, views)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = mean_squared_error(data.targets, predictions)
        metrics = RegressionMetrics.of(*_in_units(model, data.targets, predictions))
    return Evaluation(
        loss=loss,
        accuracy=math.nan,
        probabilities=np.empty((len(data), 0), predictions.dtype),
        confusion=np.empty((0, 0), np.int64),
        regression=metrics,
        class_names=data.class_names,
        dataset=data.name,
        standardized=_standardizes(model),
    )


def _standardizes(model: Model) -> bool:
    """Return whether the training targets of a model are not in the units of its table."""
    target = None if model.columns is None else model.columns.target
    if target is None:
        return False
    return (target.mean, target.scale, target.scaling) != (0.0, 1.0, "standardize")


def predicting_the_mean(model: Model, train: Dataset, test: Dataset) -> RegressionMetrics:
    """Return the metrics of predicting the mean of the training targets for every test row.

    A useful model has smaller errors. The mean is that of the training table if the model has one.
    """
    target = None if model.columns is None else model.columns.target
    mean = train.targets.mean(axis=0, dtype=np.float64) if target is None else target.constant
    return _of_constant(model, mean, test)


def mae_of_the_median(model: Model, train: Dataset, test: Dataset) -> float:
    """Return the mean absolute error of predicting the median of the training targets.

    No other constant has a smaller one on the rows that it is the median of, so the mean
    absolute error of a useful model is below this.
    """
    (median,) = _in_units(model, np.median(train.targets, axis=0))
    return _of_constant(model, median, test).mae


def _of_constant(model: Model, constant: npt.ArrayLike, test: Dataset) -> RegressionMetrics:
    """Return the metrics of one prediction for every test row, in the units of the target."""
    (targets,) = _in_units(model, test.targets)
    constants = np.broadcast_to(np.asarray(constant, np.float64), targets.shape)
    return RegressionMetrics.of(targets, constants)


def _in_units(model: Model, *values: Array) -> tuple[Array, ...]:
    """Return targets or predictions in the units of the target column of a table, if it has one."""
    target = None if model.columns is None else model.columns.target
    return values if target is None else tuple(target.restore(each) for each in values)


def _checked_views(views: object) -> tuple[View, ...]:
    """Return views as a tuple; refuse anything else by name."""
    if isinstance(views, str):
        return named_views(views)
    if isinstance(views, View):
        raise ConfigurationError(f"views must be a sequence, got a single View: pass [{views!r}]")
    checked = tuple(views) if isinstance(views, Iterable) else (views,)
    for view in checked:
        require_instance("an entry of views", view, View)
    return checked


def _logits(model: Model, data: Dataset, view: View) -> Array:
    def transform(rows: npt.NDArray[np.generic], out: Array) -> object:
        return model.transform(view(rows), out)

    used = model.transform if view == View() else transform
    logits = _held(partial(model.logits, data.inputs, used))
    if logits.shape[1] == 1:  # softmax of (0, z) is (1 - sigmoid(z), sigmoid(z))
        return np.hstack([np.zeros_like(logits), logits])
    return logits


def _held(call: Callable[[], Result]) -> Result:
    """Return the result of a call during which BLAS has one thread; `evaluate` warns of NaN."""
    with single_threaded_blas() as blas, np.errstate(over="ignore", invalid="ignore"):
        return blas.undisturbed(call)


def _evaluation(
    logits: Array,
    *,
    targets: npt.NDArray[Any],
    names: tuple[str, ...],
    dataset: str,
    threshold: float,
    positive: int,
) -> Evaluation:
    """Return the evaluation of logits, shape (n, k), which are not changed."""
    loss, _ = SoftmaxCrossEntropy()(logits, targets)
    binary, predicted = None, logits.argmax(axis=1)
    if len(names) == 2:
        margins: Array = logits[:, positive] - logits[:, 1 - positive]
        hits = (targets == positive).astype(np.int64)
        binary = BinaryMetrics.of(names[positive], hits, margins, threshold)
        if threshold != DEFAULT_THRESHOLD:  # at which the first of equal logits is predicted
            predicted = np.where(margins > logit(threshold), positive, 1 - positive)
    predicted[~np.isfinite(logits).all(axis=1)] = 0
    return Evaluation(
        loss,
        accuracy(targets, predicted),
        softmax(logits),
        confusion_matrix(targets, predicted, len(names)),
        binary=binary,
        class_names=names,
        targets=targets,
        dataset=dataset,
    )
