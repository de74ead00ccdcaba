"""The fields of the form: the input columns of a model, and their values in the training rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handloom.data.column_encoding import FIRST_CATEGORY, ColumnEncoding
from handloom.data.dataset import Dataset
from handloom.model import Model
from handloom.reporting.form.cells import Cell, Floats, flat_parts, number_of

MOST_FIELDS = 100
"""The largest number of fields of a form."""

MOST_FEATURES = 50
"""The largest number of features of rows that are no table; more are rather an image."""

MOST_OPTIONS = 200
"""The largest number of categories that can be selected: the most frequent ones."""

MOST_ROWS = 5_000
"""The largest number of training rows from which ranges and typical values are taken."""

STEPS = 200
"""The least number of steps of a slider."""


@dataclass(frozen=True)
class Field:
    """A field of the form.

    Attributes
    ----------
    encoding : ColumnEncoding
    can_miss : bool
        Whether the value may be missing.
    typical : Cell
        The median of the training rows, or their most frequent category.
    low, high : float
        The range of the numbers.
    whole : bool
        Whether all numbers are whole.
    options : tuple of int
        The indices of the categories that can be selected, in their order.
    """

    encoding: ColumnEncoding
    can_miss: bool
    typical: Cell
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    options: tuple[int, ...] = ()

    @property
    def step(self) -> float:
        """The step of a slider: a power of ten."""
        step = 10.0 ** math.floor(math.log10(max(self.high - self.low, 1e-300) / STEPS))
        return max(1.0, step) if self.whole else step


def inputs_of(model: Model) -> tuple[ColumnEncoding, ...]:
    """Return the input columns of a model; features of other data are numbers as they are."""
    if model.columns is not None:
        return model.columns.inputs
    (features,) = model.row_shape
    names = model.column_names or tuple(f"feature {index}" for index in range(features))
    return tuple(ColumnEncoding(name, "number", scale=1.0) for name in names)


def fields_of(model: Model, data: Dataset) -> list[Field]:
    """Return the fields of a model, with the ranges and typical values of rows of a dataset."""
    rows = np.linspace(0, len(data) - 1, min(MOST_ROWS, len(data))).astype(np.intp)
    inputs = inputs_of(model)
    parts = flat_parts(inputs, np.asarray(data.take(rows).inputs[:], np.float32))
    can_miss = model.columns is not None
    return [
        _category_field(each, can_miss, part)
        if each.kind == "category"
        else _number_field(each, can_miss, part)
        for each, part in zip(inputs, parts, strict=True)
    ]


def _category_field(encoding: ColumnEncoding, can_miss: bool, part: Floats) -> Field:
    known = len(encoding.categories)
    if encoding.embedded:
        counts = np.bincount(part[:, 0].astype(np.intp), minlength=FIRST_CATEGORY + known)[
            FIRST_CATEGORY:
        ]
    else:
        counts = part[:, :known].sum(axis=0)
    frequent = np.argsort(-counts, kind="stable")[:MOST_OPTIONS] + FIRST_CATEGORY
    options = tuple(sorted(frequent.tolist()))
    return Field(encoding, can_miss, int(frequent[0]), options=options)


def _number_field(encoding: ColumnEncoding, can_miss: bool, part: Floats) -> Field:
    present = part[part[:, -1] == 0.0] if encoding.missing else part
    if not encoding.scale or not len(present):
        return Field(encoding, can_miss, encoding.mean, encoding.mean, encoding.mean)
    values = np.sort(present[:, 0])  # of rows, so that the median is a number of the table
    low, typical, high = (number_of(encoding, value) for value in values[[0, len(values) // 2, -1]])
    raw = encoding.mean + encoding.scale * values.astype(np.float64)
    rounding = 1e-6 * (abs(encoding.mean) + encoding.scale)
    whole = bool((np.abs(raw - np.round(raw)) <= rounding).all()) and rounding < 0.1
    return Field(encoding, can_miss, typical, low, high, whole)


def described(inputs: Sequence[ColumnEncoding]) -> list[dict[str, object]]:
    """Return the columns as `scripts/form/encoding.js` takes them."""
    return [
        {
            "kind": each.kind,
            "mean": each.mean,
            "scale": each.scale,
            "missing": bool(each.missing),
            "embedded": each.embedded,
            "categories": len(each.categories),
        }
        for each in inputs
    ]
