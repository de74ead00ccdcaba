"""A preview of a dataset as HTML: its size, and images of each class or its first rows."""

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from handloom.data.pictures import Images, Sheet, channels_of, picture, png
from handloom.markup import Element, Node, element, table

MOST_CLASSES, IMAGES = 10, 8
"""The largest number of classes, and of images of each."""

MOST_ROWS, MOST_COLUMNS = 5, 8
"""The largest number of rows and columns of features."""

LARGEST = 32
"""The largest side of an image in pixels."""


class Rows(Protocol):
    """The parts of a dataset that are shown."""

    @property
    def name(self) -> str:
        """The name of the dataset."""

    @property
    def inputs(self) -> npt.NDArray[np.generic]:
        """The inputs, shape (n, ...)."""

    @property
    def targets(self) -> npt.NDArray[Any]:
        """Classes, shape (n,), or continuous targets, shape (n, k)."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, or of the outputs."""

    @property
    def column_names(self) -> tuple[str, ...] | None:
        """The names of the columns of the inputs."""


def preview(rows: Rows) -> Element:
    """Return a size, and images of each class or the first rows; at most some hundred kilobytes."""
    images = rows.inputs.dtype == np.uint8 and channels_of(rows.inputs.shape[1:]) is not None
    shown: list[Node] = [size(rows)]
    if rows.targets.ndim == 1:
        shown.append(_classes(rows, images=images and find_spec("PIL") is not None))
    if rows.inputs.ndim == 2:
        shown.append(_first_rows(rows))
    return element("div", shown)


def size(rows: Rows) -> Element:
    """Return the name, the number of rows and their shape as a line."""
    shape, dtype = rows.inputs.shape[1:], rows.inputs.dtype
    k = len(rows.class_names)
    of_classes = rows.targets.ndim == 1
    kind = ("class", "es") if of_classes else ("continuous target", "s")
    targets = f"{k} {kind[0]}{'' if k == 1 else kind[1]}"
    each = f"{shape[0]} features" if len(shape) == 1 else f"shape {shape}"
    text = f": {len(rows.inputs):,} rows of {each}, {dtype}; {targets}"
    return element("p", element("b", rows.name), text)


def _classes(rows: Rows, *, images: bool) -> Element:
    """Return a table of the classes: their numbers of rows, and their first images."""
    counts = np.bincount(rows.targets, minlength=len(rows.class_names))
    names = rows.class_names[:MOST_CLASSES]
    lines: list[list[Node]] = []
    for label, name in enumerate(names):
        first = np.flatnonzero(rows.targets == label)[:IMAGES]
        strip = [_strip(rows, first)] if images else []
        lines.append([name, f"{counts[label]:,}", *strip])
    if rest := len(rows.class_names) - len(names):
        others = f"{int(counts[MOST_CLASSES:].sum()):,}"
        lines.append([f"and {rest:,} more", others, *([None] if images else [])])
    return table(["class", "rows", *(["first images"] if images else [])], lines)


def _strip(rows: Rows, indices: npt.NDArray[np.integer]) -> Node:
    """Return images side by side as one picture."""
    if not len(indices):
        return None
    cells = {(0, k): picture(rows.inputs[row], LARGEST) for k, row in enumerate(indices)}
    sheet: Images = Sheet(cells, 1, len(cells)).pixels
    height, width = sheet.shape[:2]
    return element("img", src=png(sheet), width=width, height=height, alt=f"{len(indices)} images")


def _first_rows(rows: Rows) -> Element:
    """Return the first rows of features with their targets."""
    d = rows.inputs.shape[1]
    names = list(rows.column_names or map(str, range(d)))[:MOST_COLUMNS]
    more = d > MOST_COLUMNS
    outputs = ["class"] if rows.targets.ndim == 1 else list(rows.class_names[:MOST_COLUMNS])
    lines: list[list[Node]] = []
    for index, row in enumerate(rows.inputs[:MOST_ROWS]):
        values = [_value(value) for value in row[:MOST_COLUMNS]]
        target = rows.targets[index]
        ends = (
            [rows.class_names[int(target)]]
            if rows.targets.ndim == 1
            else [_value(value) for value in target[:MOST_COLUMNS]]
        )
        lines.append([str(index), *values, *(["…"] if more else []), *ends])
    return table(["row", *names, *(["…"] if more else []), *outputs], lines)


def _value(value: Any) -> str:
    return f"{value:.4g}"
