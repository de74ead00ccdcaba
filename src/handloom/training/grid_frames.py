"""GridFrames: predictions on a grid of one or two inputs after some epochs of a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from handloom.errors import ModelError
from handloom.parameters import Array

VERSION = 1

LEVELS = 255
"""The largest value of a probability in a frame, which is one byte."""


@dataclass(frozen=True, eq=False)
class GridFrames:
    """Predictions on a grid after some epochs; `handloom.GridPredictions` records them.

    Parameters
    ----------
    epochs : array of int64, shape (f,)
        The numbers of epochs done: 0 before the training.
    axes : tuple of array, shapes (x,) or (x,) and (y,)
        The points of each axis.
    predictions : array, shape (f, x, k) or (f, y, x, k)
        Probabilities as bytes from 0 to `LEVELS`, or other predictions as float32.

    Raises
    ------
    ModelError
        If the shapes do not fit each other.
    """

    epochs: npt.NDArray[np.int64]
    axes: tuple[Array, ...]
    predictions: npt.NDArray[np.generic]

    def __post_init__(self) -> None:
        shape = (len(self.epochs), *(len(axis) for axis in reversed(self.axes)))
        if len(self.axes) not in (1, 2) or self.predictions.shape[:-1] != shape:
            raise ModelError(
                f"frames of {len(self.axes)} axes must have shape {shape} and the outputs, got "
                f"{self.predictions.shape}"
            )

    def values(self, frame: int) -> npt.NDArray[np.float64]:
        """Return the predictions of a frame, shape (x, k) or (y, x, k); probabilities up to 1."""
        stored = self.predictions[frame]
        values: npt.NDArray[np.float64] = stored.astype(np.float64)
        return values / LEVELS if stored.dtype == np.uint8 else values

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the frames as arrays by name."""
        named = dict(zip(("x", "y"), self.axes, strict=False))
        return {
            "version": np.array([VERSION]),
            "epochs": self.epochs,
            "predictions": self.predictions,
            **named,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the frames that `to_arrays` described.

        Raises
        ------
        ModelError
            If an array is missing or invalid, or the version is another one.
        """
        try:
            version = arrays["version"].tolist()
            if version != [VERSION]:
                raise ModelError(f"frames must have version {VERSION}, got {version}")
            axes = tuple(arrays[name] for name in ("x", "y") if name in arrays)
            return cls(arrays["epochs"], axes, arrays["predictions"])
        except KeyError as error:
            raise ModelError(f"frames must hold {error.args[0]}") from None
