"""Outputs of a model of a table, in the units of its target, and seeded samples of its rows."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.input_columns import InputColumn, input_columns
from handloom.errors import ConfigurationError, DivergenceWarning, did_you_mean
from handloom.model import Model
from handloom.parameters import Array
from handloom.randomness import Stream


def columns_of_table(model: Model, data: Dataset) -> tuple[InputColumn, ...]:
    """Return the input columns of flat rows, as the model or the dataset has them.

    Raises
    ------
    DataError
        If rows are not flat.
    """
    names = model.column_names or data.column_names
    return input_columns(model.columns or data.columns, names, data.input_shape)


def column_named(columns: Sequence[InputColumn], name: object) -> InputColumn:
    """Return the column with a name.

    Raises
    ------
    ConfigurationError
        If there is none; with the nearest name.
    """
    by_name = {each.name: each for each in columns}
    if not isinstance(name, str) or name not in by_name:
        shown = ", ".join(list(by_name)[:12]) + (", ..." if len(by_name) > 12 else "")
        raise ConfigurationError(
            f"column must be one of {shown}, got {name!r}.{did_you_mean(name, by_name)}"
        )
    return by_name[name]


def output_names(model: Model) -> tuple[str, ...]:
    """Return the names of the columns of `outputs_in_units`."""
    names = model.classes or model.class_names
    if model.output_activation == "sigmoid" and len(names) == 1:
        return f"not {names[0]}", names[0]
    return names


def outputs_in_units(model: Model, rows: npt.NDArray[np.generic]) -> Array:
    """Return the probability of each class, or continuous predictions, of flat rows; shape (n, k).

    Continuous predictions are in the units of the target column of the table.
    """
    with without_divergence_warnings():
        predicted = model.predict(rows)
    if predicted.shape[1] == 1 and len(output_names(model)) == 2:
        return np.hstack([1.0 - predicted, predicted])
    target = None if model.columns is None else model.columns.target
    return predicted if target is None else target.restore(predicted)


def sample_of(data: Dataset, most: int, stream: Stream) -> Dataset:
    """Return at most ``most`` rows of a dataset, drawn without replacement, in their order."""
    if len(data) <= most:
        return data
    return data.take(np.sort(stream.generator().permutation(len(data))[:most]))


@contextmanager
def without_divergence_warnings() -> Iterator[None]:
    """Let predictions that are not finite pass: the results, not finite either, tell of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        yield
