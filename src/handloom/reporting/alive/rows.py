"""The images that the reader can start from: test rows, or a sketch where there are none."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.reporting.run import ReportedRun

MOST = 20
"""The largest number of images."""


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


def rows_to_show(run: ReportedRun) -> list[ShownRow]:
    """Return test rows of every class, right and wrong ones; a sketch where there are none.

    Of each class there is the first row that is predicted correctly, and the first one that is not.
    """
    test, predicted = run.test, run.predicted
    if test is None or predicted is None:
        assert run.model is not None
        return [ShownRow(sketch(run.model.row_shape), None, "a sketch")]
    indices = _first_of_each_class(test, predicted)
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
    return [*right, *wrong][:MOST] or [0]


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
