"""Step: an operator of a chain in a file of ONNX, whose options are taken one by one."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from handloom.errors import ModelError


@dataclass
class Step:
    """An operator of a chain.

    Attributes
    ----------
    operator, name : str
    attributes : dict
        Those that are taken are removed.
    arrays : list of array
        Its constant inputs, in their order; None for one that is left out.
    shape : tuple of int
        The shape of an input row.
    """

    operator: str
    name: str
    attributes: dict[str, Any]
    arrays: list[npt.NDArray[Any] | None]
    shape: tuple[int, ...]

    def refuse(self, problem: str) -> ModelError:
        """Return an error that names this operator."""
        return ModelError(f"{self.operator} {self.name!r} {problem}")

    def take(self, name: str, default: Any) -> Any:
        """Return an attribute, or else its default, whose type it must have."""
        value = self.attributes.pop(name, default)
        if default is not None and type(value) is not type(default):
            raise self.refuse(f"must have {name} like {default!r}, got {value!r:.50}")
        return value

    def expect(self, **expected: Any) -> None:
        """Refuse attributes that are there with another value."""
        for name, value in expected.items():
            if (actual := self.take(name, value)) != value:
                raise self.refuse(f"must have {name} {value!r}, got {actual!r}")

    def array(self, index: int, dimensions: int | None = None) -> npt.NDArray[Any]:
        """Return a constant input, with ``dimensions`` axes."""
        array = self.optional(index)
        if array is None:
            raise self.refuse(f"must have a constant as input {index + 1}, got none")
        if dimensions is not None and array.ndim != dimensions:
            raise self.refuse(
                f"must have an array of {dimensions} axes as input {index + 1}, got shape "
                f"{array.shape}"
            )
        return array

    def optional(self, index: int) -> npt.NDArray[Any] | None:
        """Return a constant input, or None if it is left out."""
        return self.arrays[index] if index < len(self.arrays) else None

    def image(self) -> tuple[int, int, int]:
        """Return the shape of an input row that is an image."""
        if len(self.shape) != 3:
            raise self.refuse(f"must take images (n, c, y, x), got rows of shape {self.shape}")
        c, y, x = self.shape
        return c, y, x

    def side(self, name: str, default: list[int]) -> int:
        """Return an attribute that is the same for both axes of an image."""
        sides = self.take(name, default)
        if len(sides) != 2 or len(set(sides)) != 1 or sides[0] < 1:
            raise self.refuse(f"must have {name} of two equal sizes of at least 1, got {sides!r}")
        return int(sides[0])
