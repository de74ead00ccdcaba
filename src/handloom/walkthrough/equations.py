"""Equations between named arrays, with one entry of each in numbers.

Nothing here is used by training. The files beside this one write the equations of layers
(`layer_equations`), of the loss and the penalty (`loss_equations`) and of optimizers
(`optimizer_equations`), from the arrays that were computed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """An array with its name in the equations."""

    name: str
    values: Values

    def at(self, index: Index) -> str:
        """Return the name of one entry, ``"W0[1,2]"``."""
        return f"{self.name}[{','.join(map(str, index))}]"

    def largest(self) -> Index:
        """Return the index of the entry of the largest magnitude, which is shown in numbers."""
        flat = int(np.abs(self.values).argmax())
        return tuple(int(i) for i in np.unravel_index(flat, self.values.shape))


@dataclass(frozen=True)
class Equation:
    """An equation between arrays.

    Attributes
    ----------
    text : str
        ``"y0 = x W0 + b0"``.
    entry : str
        One entry of it in numbers: ``"y0[0,1] = -1*-0.8 + 1.4*-0.1 + 0 = 0.66"``.
    """

    text: str
    entry: str


@dataclass(frozen=True)
class Part:
    """One part of a training step.

    Attributes
    ----------
    title : str
    equations : tuple of Equation
        The computation.
    arrays : tuple of Named
        Its inputs, then its results.
    """

    title: str
    equations: tuple[Equation, ...]
    arrays: tuple[Named, ...]


def number(value: float | np.generic) -> str:
    """Return a number as text with at most four significant digits."""
    return f"{float(value) + 0.0:.4g}"  # the sum removes the sign of -0.0


def solved(text: str, result: Named, index: Index, work: str) -> Equation:
    """Return an equation with one entry of its result in numbers."""
    return Equation(text, f"{result.at(index)} = {work} = {number(result.values[index])}")


def dot_product(a: Values, b: Values) -> str:
    """Return the dot product of two vectors as text, term by term."""
    return " + ".join(f"{number(p)}*{number(q)}" for p, q in zip(a, b, strict=True))


def sum_of(values: Values) -> str:
    """Return the sum of a vector as text, term by term."""
    return " + ".join(number(value) for value in values)
