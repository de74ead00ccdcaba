"""An evaluation as HTML: its figures, and the confusion of its classes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from handloom.markup import Element, Node, element, table

MOST_CLASSES, MOST_PAIRS = 12, 8
"""The most classes whose confusion is shown as a matrix; of more, the number of confused pairs."""


def evaluation_view(
    dataset: str,
    figures: Mapping[str, float],
    confusion: npt.NDArray[np.int64],
    class_names: Sequence[str],
) -> Element:
    """Return figures as a table, and the confusion matrix or the classes confused most often.

    Parameters
    ----------
    dataset : str
        The name of the dataset.
    figures : mapping of str to float
        The metrics by name; those that are not numbers are left out.
    confusion : array of int64, shape (k, k)
        Counts by true class (row) and predicted class (column); empty of a regression.
    class_names : sequence of str, length k
    """
    known = {name: value for name, value in figures.items() if not math.isnan(value)}
    shown = [
        f"{100 * value:.2f} %" if name == "accuracy" else f"{value:.4g}"
        for name, value in known.items()
    ]
    small = len(class_names) <= MOST_CLASSES
    classes = (_matrix if small else _pairs)(confusion, class_names) if confusion.size else None
    return element("div", table(["dataset", *known], [[dataset, *shown]]), classes)


def _matrix(confusion: npt.NDArray[np.int64], names: Sequence[str]) -> Element:
    rows: list[list[Node]] = [
        [name, *(_count(count, correct=k == index) for index, count in enumerate(confusion[k]))]
        for k, name in enumerate(names)
    ]
    return table(["true, predicted:", *names], rows, "Rows by true and predicted class")


def _count(count: int, *, correct: bool) -> Node:
    """Return a count: correct predictions in bold, and none as a dot."""
    text = f"{count:,}" if count else "·"
    return element("b", text) if correct else text


def _pairs(confusion: npt.NDArray[np.int64], names: Sequence[str]) -> Element:
    wrong = confusion * (1 - np.eye(len(names), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    rows = [
        [names[true], names[predicted], f"{wrong[true, predicted]:,}"]
        for true, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[true, predicted]
    ]
    caption = f"The most frequent mistakes, of {len(names)} classes"
    return table(["true class", "predicted class", "rows"], rows, caption)
