"""Equations between named arrays, with one entry of each in numbers.

Nothing here is used by training. The files beside this one write the equations of layers
(`layer_equations`), of the loss and the penalty (`loss_equations`) and of optimizers
(`optimizer_equations`), from the arrays that were computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.markup import Element, Node, element, render, table

ROWS, COLUMNS = 4, 6
"""The most rows and columns that are shown of an array."""

MOST_TERMS = 12
"""The most terms of a sum that are all written."""

Values = npt.NDArray[Any]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """An array with its name in the equations.

    Attributes
    ----------
    name : str
    values : array
    is_kernel : bool
        Whether it has the shape of the weights of a convolution, ``(k, k, c, f)``.
    """

    name: str
    values: Values
    is_kernel: bool = False

    @classmethod
    def weights(cls, name: str, values: Values) -> "Named":
        """Return a copy of weights, of their gradient, or of an optimizer's state for them."""
        return cls(name, values.copy(), values.ndim == 4)

    def at(self, index: Index) -> str:
        """Return the name of one entry, ``"W0[1,2]"``."""
        return f"{self.name}[{','.join(map(str, index))}]"

    def largest(self) -> Index:
        """Return the index of the entry of the largest magnitude, which is shown in numbers."""
        flat = int(np.abs(self.values).argmax())
        return tuple(int(i) for i in np.unravel_index(flat, self.values.shape))

    def __repr__(self) -> str:
        return f"Named({self.name!r}, shape {self.values.shape})"

    def _repr_html_(self) -> str:
        """Return the first rows and columns, as a notebook shows them."""
        return render(self.view())

    def matrix(self) -> tuple[str, Values]:
        """Return the array as a matrix, and which part of it that is."""
        values = self.values
        if values.ndim <= 2:
            return "", np.atleast_2d(values)
        if self.is_kernel:  # shape (k, k, c, f): the window of the first channel and filter
            return f", {self.name}[:,:,0,0]:", values[:, :, 0, 0]
        first: Sequence[int] = (0,) * (values.ndim - 2)
        return f", {self.name}[{','.join(map(str, first))}]:", values[tuple(first)]

    def view(self) -> Element:
        """Return the first rows and columns as a table."""
        part, matrix = self.matrix()
        columns = range(min(matrix.shape[1], COLUMNS))
        more = ["..."] if matrix.shape[1] > COLUMNS else []
        rows: list[list[Node]] = [
            [i, *(number(value) for value in row[:COLUMNS]), *more]
            for i, row in enumerate(matrix[:ROWS])
        ]
        if len(matrix) > ROWS:
            rows.append(["...", *("" for _ in (*columns, *more))])
        return table(["", *columns, *more], rows, f"{self.name} {self.values.shape}{part}")


@dataclass(frozen=True)
class Equation:
    """An equation between arrays.

    Attributes
    ----------
    text : str
        ``"y0 = x W0 + b0"``.
    entry : str
        One entry of it in numbers: ``"y0[0,1] = -1*-0.8 + 1.4*-0.1 + 0 = 0.66"``; it may be empty.
    """

    text: str
    entry: str

    def view(self) -> Element:
        """Return the equation, and below it its entry."""
        entry = [element("br"), element("code", self.entry)] if self.entry else None
        return element("p", element("code", element("b", self.text)), entry)


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

    def __repr__(self) -> str:
        equations = "; ".join(each.text for each in self.equations)
        arrays = ", ".join(each.name for each in self.arrays)
        return f"Part({self.title!r}; {equations or 'no equation'}; arrays {arrays})"

    def _repr_html_(self) -> str:
        """Return the equations and the arrays, as a notebook shows them."""
        return render(self.view())

    def view(self) -> Element:
        """Return the title, the equations, and the first entries of the arrays."""
        return element(
            "div",
            element("h4", self.title),
            [each.view() for each in self.equations],
            [each.view() for each in self.arrays],
        )


def number(value: float | np.generic) -> str:
    """Return a number as text with at most four significant digits."""
    return f"{float(value) + 0.0:.4g}"  # the sum removes the sign of -0.0


def solved(text: str, result: Named, index: Index, work: str) -> Equation:
    """Return an equation with one entry of its result in numbers."""
    return Equation(text, f"{result.at(index)} = {work} = {number(result.values[index])}")


def dot_product(a: Values, b: Values) -> str:
    """Return the dot product of two vectors as text, term by term."""
    return _sum([f"{number(p)}*{number(q)}" for p, q in zip(a, b, strict=True)])


def sum_of(values: Values) -> str:
    """Return the sum of a vector as text, term by term."""
    return _sum([number(value) for value in values])


def exponentials(values: Values) -> list[str]:
    """Return the exponentials of a vector as text, and their sum as the last entry."""
    terms = [f"exp({number(value)})" for value in values]
    return [*terms, _sum(terms)]


def _sum(terms: list[str]) -> str:
    """Return the sum of terms as text; of many, the first and the last ones."""
    if len(terms) <= MOST_TERMS:
        return " + ".join(terms)
    return f"{' + '.join(terms[:3])} + ... + {terms[-1]} ({len(terms)} terms)"
