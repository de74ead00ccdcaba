"""Evaluation of a model on a dataset: loss, accuracy, probabilities, confusion matrix."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from handloom.data.columns import require_same_columns
from handloom.data.dataset import Dataset, require_channels_first
from handloom.data.test_time_augmentation import View, named_views
from handloom.errors import ConfigurationError, DataError, ModelError, require_instance
from handloom.layers import softmax
from handloom.losses import SoftmaxCrossEntropy
from handloom.metrics import accuracy, confusion_matrix
from handloom.model import Model, warn_if_not_finite
from handloom.parallel.blas import single_threaded_blas
from handloom.parameters import Array
from handloom.training.datasets import require_dataset, require_model

Result = TypeVar("Result")


@dataclass(frozen=True)
class Evaluation:
    """The predictions of a model for a dataset, and their metrics.

    Attributes
    ----------
    loss : float
        The mean cross-entropy, without penalty.
    accuracy : float
        The fraction of correct predictions.
    probabilities : array, shape (n, k)
    confusion : array of int64, shape (k, k)
        The number of rows of each true class (first axis) and predicted class (second axis).
    of_views : Evaluation or None
        The same from the mean of the logits over several views of each row; None without views.
    """

    loss: float
    accuracy: float
    probabilities: Array
    confusion: npt.NDArray[np.int64]
    of_views: "Evaluation | None" = None


def evaluate(model: Model, data: Dataset, views: Sequence[View] = ()) -> Evaluation:
    """Evaluate a model on a dataset.

    A model with ``binary_classes`` is evaluated on both, with two columns of probabilities.

    Outputs that are not finite raise a `DivergenceWarning`; their rows count as the first class.

    Parameters
    ----------
    model : Model
    data : Dataset
    views : sequence of View, optional
        Transformations of each image for test-time augmentation, such as
        `handloom.data.test_time_augmentation.MIRRORED`. The metrics of their mean are in
        ``of_views``; all others are those of the original rows.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If the dataset has other classes than the model, or rows are not images and ``views`` is
        passed.
    ModelError
        If rows have another size than the input, or the model predicts no classes.
    ConfigurationError
        If ``model`` is no `Model`, or ``data`` no `Dataset`.
    """
    require_model(model)
    require_dataset("data", data)
    if not (model.predicts_classes or model.binary_classes) or not data.has_classes:
        raise ModelError(
            "only predictions of classes are evaluated, on rows with one class each; for "
            "continuous targets, compare model.predict(data.inputs) with data.targets"
        )
    known = model.binary_classes or model.class_names
    if data.class_names != known:
        where = "binary_classes" if model.binary_classes else "class_names"
        raise DataError(
            f"the dataset must have the model's classes {', '.join(known)}, "
            f"got {', '.join(data.class_names)}: match labels by name with "
            f"Dataset(inputs, targets, class_names=model.{where})"
        )
    require_same_columns(data.column_names, model.column_names, "rows")
    model.check_rows(data.inputs)
    views = _checked_views(views)
    if views and data.inputs.ndim < 3:
        raise DataError(
            f"views are of images: rows must have the shape (y, x) or (c, y, x), "
            f"got {data.input_shape}"
        )
    if views:
        require_channels_first(data)
    logits = _logits(model, data, View())
    warn_if_not_finite(logits, stacklevel=3)
    of_views = None
    if views:
        each = {view: logits if view == View() else _logits(model, data, view) for view in views}
        mean: Array = np.stack([each[view] for view in views]).mean(axis=0)
        of_views = _held(partial(_evaluation, mean, data))
    return replace(_held(partial(_evaluation, logits, data)), of_views=of_views)


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
        return model.transform(rows if view == View() else view(rows), out)

    logits = _held(partial(model.logits, data.inputs, transform))
    if model.binary_classes:  # softmax of (0, z) is (1 - sigmoid(z), sigmoid(z))
        return np.hstack([np.zeros_like(logits), logits])
    return logits


def _held(call: Callable[[], Result]) -> Result:
    """Return the result of a call during which BLAS has one thread; `evaluate` warns of NaN."""
    with single_threaded_blas() as blas, np.errstate(over="ignore", invalid="ignore"):
        return blas.undisturbed(call)


def _evaluation(logits: Array, data: Dataset) -> Evaluation:
    """Return the evaluation of logits, shape (n, k), which are not changed."""
    loss, _ = SoftmaxCrossEntropy()(logits, data.targets)
    predicted = logits.argmax(axis=1)
    return Evaluation(
        loss,
        accuracy(data.targets, predicted),
        softmax(logits),
        confusion_matrix(data.targets, predicted, len(data.class_names)),
    )
