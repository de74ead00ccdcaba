"""The images that the reader can start from: test rows, or a sketch where there are none."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.model import Model
from handloom.reporting.alive.network_export import predictions

MOST, MOST_BYTES = 20, 300_000
"""The largest number of images, and of their bytes."""

PREDICTED_ROWS = 500
"""The number of test rows that are predicted here, if their predictions are not stored."""


@dataclass(frozen=True)
class ShownRow:
    """An image that the reader can start from.

    Attributes
    ----------
    row : array of uint8, shape of a row
    index : int or None
        In the test rows; None for a sketch.
    description : str
        Its class, and that which the network predicts.
    """

    row: npt.NDArray[np.uint8]
    index: int | None
    description: str


def rows_to_show(
    model: Model, test: Dataset | None, predicted: npt.NDArray[np.intp] | None
) -> list[ShownRow]:
    """Return test rows of every class, right and wrong ones; a sketch where there are none.

    Of each class there is the first row that is predicted correctly, and the first one that is not.

    Parameters
    ----------
    model : Model
    test : Dataset or None
        The test rows.
    predicted : array of int, shape (n,), or None
        Their predicted classes.
    """
    if test is None or not test.has_classes or not len(test):
        return [ShownRow(sketch(model.row_shape), None, "a sketch")]
    if predicted is None:
        test = test.take(slice(PREDICTED_ROWS))
        predicted = _classes(predictions(model, test.inputs, model.before_loss))
    most = max(1, min(MOST, MOST_BYTES // math.prod(model.row_shape)))
    indices = _first_of_each_class(test, predicted)[:most]
    return [
        ShownRow(
            np.asarray(test.inputs[index]),
            index,
            _description(test.class_names, int(test.targets[index]), int(predicted[index])),
        )
        for index in indices
    ]


def _first_of_each_class(test: Dataset, predicted: npt.NDArray[np.intp]) -> list[int]:
    right: list[int] = []
    wrong: list[int] = []
    for label in range(len(test.class_names)):
        own = np.flatnonzero(test.targets == label)
        is_right = predicted[own] == label
        right += own[is_right][:1].tolist()
        wrong += own[~is_right][:1].tolist()
    return [*right, *wrong]


def _classes(outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """Return the predicted classes. A single output is the probability of the second class."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.5).astype(np.intp)
    classes: npt.NDArray[np.intp] = outputs.argmax(axis=1)
    return classes


def _description(names: tuple[str, ...], label: int, predicted: int) -> str:
    if label == predicted:
        return names[label]
    return f"{names[label]}, predicted as {names[predicted]}"


def sketch(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return a drawing of a shirt: a body and two sleeves."""
    image = np.zeros(shape, np.uint8)
    y, x = shape[-2:]
    image[..., y // 6 : y - y // 8, x // 3 : x - x // 3] = 200
    image[..., y // 6 : y // 3, x // 8 : x - x // 8] = 200
    return image
