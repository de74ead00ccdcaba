"""How well a model does on rows that it has not learned from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import DataError
from handloom.layers import softmax
from handloom.losses import SoftmaxCrossEntropy
from handloom.metrics import accuracy, confusion_matrix
from handloom.model import Model
from handloom.parameters import Array
from handloom.training.workers import single_threaded_blas


@dataclass(frozen=True)
class Evaluation:
    """What a model predicts for a dataset.

    Attributes
    ----------
    loss : float
        The mean cross-entropy, without penalty.
    accuracy : float
        The fraction of rows whose class was predicted.
    probabilities : array, shape (n, k)
    confusion : array of int64, shape (k, k)
        Rows of each true class, by the class predicted.
    """

    loss: float
    accuracy: float
    probabilities: Array
    confusion: npt.NDArray[np.int64]


def evaluate(model: Model, data: Dataset) -> Evaluation:
    """Measure a model on a dataset.

    Raises
    ------
    DataError
        If the dataset has not the model's classes.
    ModelError
        If its rows have not the size that the network was built for.
    """
    if data.class_names != model.class_names:
        raise DataError(
            f"the model knows the classes {', '.join(model.class_names)}; "
            f"the dataset has {', '.join(data.class_names)}"
        )
    model.check_rows(data.inputs)
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        logits = model.network.predict_logits(data.inputs, model.transform)
    loss, _ = SoftmaxCrossEntropy()(logits, data.targets)
    predicted = logits.argmax(axis=1)
    return Evaluation(
        loss,
        accuracy(data.targets, predicted),
        softmax(logits, out=logits),
        confusion_matrix(data.targets, predicted, len(data.class_names)),
    )
