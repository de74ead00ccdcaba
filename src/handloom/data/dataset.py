"""Inputs, targets and class names that belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError, require_fraction, require_number
from handloom.randomness import Purpose, Stream

CHECKED_AT_ONCE = 1 << 21
"""How many numbers are looked at in one go: few enough to fit anywhere, enough to be quick."""


@dataclass(frozen=True)
class Dataset:
    """Rows of inputs, what a network should make of each, and what that is called.

    Parameters
    ----------
    inputs : array, shape (n, ...)
        ``uint8`` images ``(n, y, x)`` as they were stored, or floating-point features ``(n, d)``,
        which must be finite.
    targets : integer array, shape (n,), or floating-point array, shape (n, k)
        The class of each row, from 0 to k - 1, kept as int64; or one finite number for each of a
        network's outputs.
    class_names : tuple of str, length k
        What the classes, or the outputs, are called.
    name : str
        What the dataset is called; tables, pictures and result files repeat it.

    Raises
    ------
    DataError
        If there are no rows, rows and targets differ in number, classes lie out of range, names
        and targets do not fit, or numbers are not finite.
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
                f"inputs and targets must have one row each per sample: got inputs of shape "
                f"{self.inputs.shape} and targets of shape {self.targets.shape}"
            )
        if len(set(self.class_names)) < len(self.class_names):
            raise DataError(f"class names must differ, got {_listed(self.class_names)}")
        if self.targets.ndim == 2:
            self._check_numbers()
        else:
            self._check_classes()

    def _check_numbers(self) -> None:
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
            raise DataError("targets hold NaN or infinity")

    def _check_classes(self) -> None:
        if not np.issubdtype(self.targets.dtype, np.integer):
            raise DataError(f"targets of shape (n,) must be integers, got {self.targets.dtype}")
        object.__setattr__(self, "targets", self.targets.astype(np.int64, copy=False))
        low, high = int(self.targets.min()), int(self.targets.max())
        if low < 0 or high >= len(self.class_names):
            raise DataError(
                f"targets must lie in 0..{len(self.class_names) - 1} (there are "
                f"{len(self.class_names)} class names), found {low}..{high}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.inputs.shape[1:]

    @property
    def has_classes(self) -> bool:
        """Whether each row has a class, rather than numbers."""
        return self.targets.ndim == 1

    @property
    def rows_per_class(self) -> npt.NDArray[np.int64]:
        """The number of rows of each class, shape (k,).

        Raises
        ------
        DataError
            If rows have numbers instead of classes.
        """
        if not self.has_classes:
            raise DataError(f"the rows of {self.name} have numbers as targets, not classes")
        return np.bincount(self.targets, minlength=len(self.class_names))

    def take(self, rows: npt.NDArray[np.integer] | slice) -> "Dataset":
        """Return the dataset of the given rows, in the given order."""
        return Dataset(self.inputs[rows], self.targets[rows], self.class_names, self.name)

    def sorted_by_class(self) -> "Dataset":
        """Return the rows ordered by class, the rows of a class in the order they had."""
        return self.take(np.argsort(self.targets, kind="stable"))

    def shuffled(self, stream: Stream) -> "Dataset":
        """Return inputs and targets in one random order, drawn from ``stream``."""
        return self.take(stream.at(Purpose.SHUFFLE).generator().permutation(len(self)))

    def split(self, fraction: float, stream: Stream) -> tuple["Dataset", "Dataset"]:
        """Hold rows out, the same fraction of every class if there are any, drawn from ``stream``.

        Parameters
        ----------
        fraction : float
            The fraction held out, above 0 and below 1. Of every class, or of all rows, at least
            one row is held out and at least one is kept.
        stream : Stream
            Where the random numbers come from.

        Returns
        -------
        rest, held_out : Dataset, Dataset
            Both keep the order that the rows had.

        Raises
        ------
        ConfigurationError
            If the fraction is not between 0 and 1.
        DataError
            If a class, or the whole, has a single row, so that it cannot stand on both sides.
        """
        require_number("the fraction to hold out", fraction, minimum=0.0, exclusive=True)
        require_fraction("the fraction to hold out", fraction)
        generator = stream.at(Purpose.SPLIT).generator()
        held_out = np.zeros(len(self), dtype=bool)
        for what, rows in self._strata():
            if len(rows) == 1:
                raise DataError(f"{what} has a single row: it cannot be split")
            if len(rows):
                size = min(max(1, round(fraction * len(rows))), len(rows) - 1)
                held_out[generator.permutation(rows)[:size]] = True
        return self.take(np.flatnonzero(~held_out)), self.take(np.flatnonzero(held_out))

    def _strata(self) -> list[tuple[str, npt.NDArray[np.int64]]]:
        """Return the rows of each class or, where there are none, all rows."""
        if not self.has_classes:
            return [("the dataset", np.arange(len(self)))]
        return [
            (f"class {name!r}", np.flatnonzero(self.targets == label))
            for label, name in enumerate(self.class_names)
        ]


def check_inputs(inputs: npt.NDArray[np.generic]) -> None:
    """Refuse inputs that no network can learn from: no rows, no numbers, or numbers not finite.

    Raises
    ------
    DataError
        Naming what is wrong and, for a number that is not finite, the first row that holds one.
    """
    if inputs.ndim < 2 or inputs.size == 0:
        raise DataError(
            f"inputs must have at least one row and one column, got shape {inputs.shape}"
        )
    if inputs.dtype == np.uint8:
        return
    if not np.issubdtype(inputs.dtype, np.floating):
        raise DataError(f"inputs must be uint8 or floating-point, got {inputs.dtype}")
    numbers = int(np.prod(inputs.shape[1:]))
    rows = max(1, CHECKED_AT_ONCE // numbers)
    for start in range(0, len(inputs), rows):
        bad = np.flatnonzero(~np.isfinite(inputs[start : start + rows]).reshape(-1))
        if bad.size:
            row = start + int(bad[0]) // numbers
            raise DataError(f"inputs hold NaN or infinity; the first such row is {row}")


@dataclass(frozen=True)
class Splits:
    """A dataset as its authors publish it: a training part and a test part."""

    train: Dataset
    test: Dataset

    def __post_init__(self) -> None:
        if self.train.input_shape != self.test.input_shape:
            raise DataError(
                f"training and test rows must have one shape: got {self.train.input_shape} "
                f"and {self.test.input_shape}"
            )
        if self.train.class_names != self.test.class_names:
            raise DataError(
                f"training and test part must have the same classes: got "
                f"{_listed(self.train.class_names)} and {_listed(self.test.class_names)}"
            )

    @property
    def name(self) -> str:
        """What the dataset is called."""
        return self.train.name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
