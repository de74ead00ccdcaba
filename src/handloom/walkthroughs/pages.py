"""Walkthrough: the parts of a training step, printed as text of a bounded size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from handloom.text import printable
from handloom.walkthroughs.equations import Named, Part, Values, number

ROWS, COLUMNS = 4, 6
"""The most rows and columns that are shown of an array."""

EXPLANATION = """\
Each equation is followed by one of its entries in numbers, where it has few terms; [i,j] is row i,
column j, counted from 0. Of a large array the first rows and columns are shown. A prime marks a
value after the step: W0' is the new W0. All is computed in float64, on a copy of the network."""


@dataclass(frozen=True)
class Walkthrough:
    """One training step, array by array; ``print`` shows it, and iterating gives its parts.

    Attributes
    ----------
    title : str
        The optimizer and the learning rate.
    parts : tuple of handloom.walkthroughs.equations.Part
        The batch, forward, loss, backward, penalty, update, and the loss after the step: each with
        a title, its equations, and its arrays by name.
    """

    title: str
    parts: tuple[Part, ...]

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return printable(f"Walkthrough({self.title}; {len(self)} parts: print it to see them)")

    def __str__(self) -> str:
        lines = [self.title, EXPLANATION]
        for index, part in enumerate(self.parts, start=1):
            lines += ["", f"{index}. {part.title}"]
            for equation in part.equations:
                lines.append(f"   {equation.text}")
                lines += [f"      {equation.entry}"] if equation.entry else []
            for array in part.arrays:
                lines += [f"   {line}" for line in _array(array)]
        return printable("\n".join(lines), lines=True)


def _array(array: Named) -> list[str]:
    """Return an array as lines: its name, its shape, and the first of its rows and columns."""
    name, shown = _matrix(array)
    cells = [[number(value) for value in row[:COLUMNS]] for row in shown[:ROWS]]
    width = max((len(cell) for row in cells for cell in row), default=1)
    more = "  ..." if shown.shape[1] > COLUMNS else ""
    lines = ["  ".join(cell.rjust(width) for cell in row) + more for row in cells]
    lines += ["..."] if len(shown) > ROWS else []
    return [f"{array.name} {array.values.shape}{name}", *(f"   {line}" for line in lines)]


def _matrix(array: Named) -> tuple[str, Values]:
    """Return an array as a matrix, and which part of it that is."""
    values = array.values
    if values.ndim <= 2:
        return "", np.atleast_2d(values)
    if array.is_kernel:  # shape (k, k, c, f): the window of the first channel and filter
        return f", {array.name}[:,:,0,0]:", values[:, :, 0, 0]
    first: Sequence[int] = (0,) * (values.ndim - 2)
    return f", {array.name}[{','.join(map(str, first))}]:", values[tuple(first)]
