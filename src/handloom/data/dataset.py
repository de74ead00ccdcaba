"""Datasets: inputs, targets and class names, with their training and test split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError, require_fraction, require_number
from handloom.randomness import Purpose, Stream

CHECKED_AT_ONCE = 1 << 21
"""The number of values checked at once: small enough for memory, large enough for speed."""


@dataclass(frozen=True)
class Dataset:
    """A dataset: rows of inputs, their targets, and the class names.

    Parameters
    ----------
    inputs : array, shape (n, ...)
        ``uint8`` images ``(n, y, x)`` as stored, or finite floating-point features ``(n, d)``.
    targets : integer array, shape (n,), or floating-point array, shape (n, k)
        The class of each row, from 0 to k - 1, stored as int64; or finite continuous targets, one
        for each of a network's outputs.
    class_names : tuple of str, length k
        The names of the classes, or of the outputs.
    name : str
        The name of the dataset, for tables, plots and result files.

    Raises
    ------
    DataError
        If there are no rows, rows and targets differ in number, classes are out of range, the
        number of names is wrong, or values are not finite.
    """

    inputs: npt.NDArray[np.generic]
    targets: npt.NDArray[Any]
    class_names: tuple[str, ...]
    name: str = "unnamed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", tuple(self.class_names))
        check_inputs(self.inputs)
        if self.targets.ndim not in (1, 2) or len(self.inputs) != len(self.targets):
            raise DataError(
                f"inputs and targets must have one row each per sample, got inputs of shape "
                f"{self.inputs.shape} and targets of shape {self.targets.shape}"
            )
        if len(set(self.class_names)) < len(self.class_names):
            raise DataError(f"class names must differ, got {_listed(self.class_names)}")
        if self.targets.ndim == 2:
            self._check_continuous()
        else:
            self._check_classes()

    def _check_continuous(self) -> None:
        if not np.issubdtype(self.targets.dtype, np.floating):
            raise DataError(
                f"targets of shape {self.targets.shape} must be floating-point, "
                f"got {self.targets.dtype}"
            )
        if self.targets.shape[1] != len(self.class_names):
            raise DataError(
                f"targets of shape {self.targets.shape} need {self.targets.shape[1]} names, "
                f"got {_listed(self.class_names)}"
            )
        if not np.isfinite(self.targets).all():
            bad = self.targets[~np.isfinite(self.targets)]
            raise DataError(f"targets must be finite, got {_not_finite(bad[0])}")

    def _check_classes(self) -> None:
        if not np.issubdtype(self.targets.dtype, np.integer):
            raise DataError(f"targets of shape (n,) must be integers, got {self.targets.dtype}")
        object.__setattr__(self, "targets", self.targets.astype(np.int64, copy=False))
        low, high = int(self.targets.min()), int(self.targets.max())
        if low < 0 or high >= len(self.class_names):
            raise DataError(
                f"targets must lie in 0..{len(self.class_names) - 1} (there are "
                f"{len(self.class_names)} class names), got {low}..{high}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.inputs.shape[1:]

    @property
    def has_classes(self) -> bool:
        """Whether targets are classes, not continuous."""
        return self.targets.ndim == 1

    @property
    def rows_per_class(self) -> npt.NDArray[np.int64]:
        """The number of rows of each class, shape (k,).

        Raises
        ------
        DataError
            If targets are continuous.
        """
        if not self.has_classes:
            raise DataError(f"the targets of {self.name} must be classes, got continuous targets")
        return np.bincount(self.targets, minlength=len(self.class_names))

    def take(self, rows: npt.NDArray[np.integer] | slice) -> "Dataset":
        """Return a dataset of ``rows``, in their order."""
        return Dataset(self.inputs[rows], self.targets[rows], self.class_names, self.name)

    def sorted_by_class(self) -> "Dataset":
        """Return the rows sorted by class; the rows of a class keep their order."""
        return self.take(np.argsort(self.targets, kind="stable"))

    def shuffled(self, stream: Stream) -> "Dataset":
        """Return the dataset in a random order, drawn from ``stream``."""
        return self.take(stream.at(Purpose.SHUFFLE).generator().permutation(len(self)))

    def split(self, fraction: float, stream: Stream) -> tuple["Dataset", "Dataset"]:
        """Split off held-out rows at random, stratified by class if targets are classes.

        Parameters
        ----------
        fraction : float
            The fraction held out, above 0 and below 1. Of every class, or of all rows, at least
            one row is held out and at least one is not.
        stream : Stream
            The source of random numbers.

        Returns
        -------
        rest, held_out : Dataset, Dataset
            Both keep the order of the rows.

        Raises
        ------
        ConfigurationError
            If the fraction is not between 0 and 1.
        DataError
            If a class, or the dataset, has a single row, so that it cannot be split.
        """
        require_number("the fraction to hold out", fraction, minimum=0.0, exclusive=True)
        require_fraction("the fraction to hold out", fraction)
        generator = stream.at(Purpose.SPLIT).generator()
        held_out = np.zeros(len(self), dtype=bool)
        for stratum, rows in self._strata():
            if len(rows) == 1:
                raise DataError(
                    f"{stratum} must have at least 2 rows to be split, got a single row"
                )
            if len(rows):
                size = min(max(1, round(fraction * len(rows))), len(rows) - 1)
                held_out[generator.permutation(rows)[:size]] = True
        return self.take(np.flatnonzero(~held_out)), self.take(np.flatnonzero(held_out))

    def _strata(self) -> list[tuple[str, npt.NDArray[np.int64]]]:
        """Return the rows of each class or, for continuous targets, all rows."""
        if not self.has_classes:
            return [("the dataset", np.arange(len(self)))]
        return [
            (f"class {name!r}", np.flatnonzero(self.targets == label))
            for label, name in enumerate(self.class_names)
        ]


def check_inputs(inputs: npt.NDArray[np.generic]) -> None:
    """Check inputs: at least one row, uint8 or floating-point, and finite.

    Raises
    ------
    DataError
        If they are invalid; the message names the first row that is not finite.
    """
    if inputs.ndim < 2 or inputs.size == 0:
        raise DataError(
            f"inputs must have at least one row and one column, got shape {inputs.shape}"
        )
    if inputs.dtype == np.uint8:
        return
    if not np.issubdtype(inputs.dtype, np.floating):
        raise DataError(f"inputs must be uint8 or floating-point, got {inputs.dtype}")
    row_size = int(np.prod(inputs.shape[1:]))
    rows = max(1, CHECKED_AT_ONCE // row_size)
    for start in range(0, len(inputs), rows):
        values = inputs[start : start + rows].reshape(-1)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            row = start + int(bad[0]) // row_size
            raise DataError(
                f"inputs must be finite, got {_not_finite(values[bad[0]])}; the first such row is "
                f"{row}"
            )


def _not_finite(value: np.generic) -> str:
    """Return the description of a value that is not finite."""
    if np.isnan(value):
        return f"NaN ({value.dtype})"
    largest = float(np.finfo(str(value.dtype)).max)
    return f"{value} ({value.dtype}, in which values above {largest:.2g} become infinity)"


@dataclass(frozen=True)
class Splits:
    """The training and the test part of a dataset, as published."""

    train: Dataset
    test: Dataset

    def __post_init__(self) -> None:
        if self.train.input_shape != self.test.input_shape:
            raise DataError(
                f"training and test rows must have one shape, got {self.train.input_shape} "
                f"and {self.test.input_shape}"
            )
        if self.train.class_names != self.test.class_names:
            raise DataError(
                f"training and test part must have the same classes, got "
                f"{_listed(self.train.class_names)} and {_listed(self.test.class_names)}"
            )

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.train.name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
