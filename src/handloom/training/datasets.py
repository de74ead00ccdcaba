"""Arguments that must be a `Dataset` or a `Model`: an error has the line to write instead."""

import numpy as np

from handloom.data.columns import require_same_columns
from handloom.data.conversion import dtype_advice
from handloom.data.dataset import Dataset, Splits
from handloom.errors import ConfigurationError, DataError
from handloom.model import Model
from handloom.text import listed

INSTEAD = {
    "train": "trainer.fit(Dataset(inputs, targets))",
    "validation": "validation=Dataset(inputs, targets, class_names=train.class_names), or a "
    "fraction of the training rows",
    "data": "Dataset(inputs, targets, class_names=model.class_names)",
}
"""The replacement of wrong data, for each argument."""


def require_dataset(argument: str, value: object) -> Dataset:
    """Return a `Dataset`, and refuse other data.

    Parameters
    ----------
    argument : str
        One of `INSTEAD`.
    value : object

    Raises
    ------
    ConfigurationError
        With the line to write instead.
    """
    if isinstance(value, Splits):
        part = "train" if argument == "train" else "test"
        raise ConfigurationError(
            f"{argument} must be a Dataset, got Splits, a training and a test part: pass "
            f"splits.{part}"
        )
    if not isinstance(value, Dataset):
        kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise ConfigurationError(
            f"{argument} must be a Dataset, got {kind}: write {INSTEAD[argument]}"
        )
    return value


def require_model(value: object) -> None:
    """Refuse a model that is not a `Model`, such as a network or a trainer.

    Raises
    ------
    ConfigurationError
        With the line to write instead.
    """
    if not isinstance(value, Model) and hasattr(value, "to_model"):
        raise ConfigurationError(
            f"model must be a Model, got {type(value).__name__}: pass estimator.to_model(), which "
            "has the names of the classes too"
        )
    if not isinstance(value, Model):
        raise ConfigurationError(
            f"model must be a Model, got {type(value).__name__}: pass trainer.model(), which has "
            "the transform and the class names too"
        )


def check_same_rows(train: Dataset, validation: Dataset) -> None:
    """Refuse validation rows of another shape or kind of dtype than the training rows.

    ``uint8`` rows are scaled, unlike floating-point rows, and the transform is that of the training
    rows. Rows of another shape would be flattened in another order.

    Raises
    ------
    DataError
        With the shapes or the dtypes of both.
    """
    if validation.input_shape != train.input_shape:
        raise DataError(
            f"the validation rows must have shape {train.input_shape}, as the training rows, got "
            f"{validation.input_shape}"
        )
    dtype, expected = validation.inputs.dtype, train.inputs.dtype
    if (dtype == np.uint8) != (expected == np.uint8):
        raise DataError(
            f"the validation rows must be {expected}, as the training rows, got {dtype}: prepare "
            f"them in the same way; {dtype_advice(validation.inputs, str(expected))}"
        )


def check_same_names(train: Dataset, validation: Dataset) -> None:
    """Refuse validation rows whose classes, outputs or columns have other names.

    Raises
    ------
    DataError
        With the names that differ. A single output may have any name.
    """
    single_output = not train.has_classes and len(train.class_names) == 1
    if train.class_names != validation.class_names and not single_output:
        raise DataError(
            f"the validation rows must have the {'classes' if train.has_classes else 'outputs'} of "
            f"the training rows, {listed(train.class_names)}, got "
            f"{listed(validation.class_names)}: pass "
            "Dataset(inputs, targets, class_names=train.class_names)"
        )
    require_same_columns(validation.column_names, train.column_names, "validation rows")
