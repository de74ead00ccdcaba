"""Lazy rows: inputs that are not an array, and become one where they are indexed."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt


class LazyRows(ABC):
    """Rows of inputs that are made when they are indexed; a `Dataset` keeps them as they are.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    ndim : int
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ndim: int

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        """Return rows as an array, shape (n, ...)."""
