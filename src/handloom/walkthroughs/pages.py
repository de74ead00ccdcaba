"""Walkthrough: the parts of a training step, printed as text of a bounded size."""

from collections.abc import Iterator
from dataclasses import dataclass

from handloom.markup import element, render
from handloom.text import printable
from handloom.walkthroughs.equations import COLUMNS, ROWS, Equation, Named, Part, number

MOST_PARTS = 40
"""The most parts that a notebook shows; ``print`` shows all."""

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

    def _repr_html_(self) -> str:
        """Return the parts with equations and arrays, as a notebook shows them."""
        more = len(self) - MOST_PARTS
        return render(
            element(
                "div",
                element("h3", self.title),
                element("p", EXPLANATION),
                [part.view() for part in self.parts[:MOST_PARTS]],
                element("p", f"{more} more parts: print shows all") if more > 0 else None,
            )
        )

    @property
    def equations(self) -> tuple[Equation, ...]:
        """The equations of all parts, in order."""
        return tuple(equation for part in self.parts for equation in part.equations)

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
    name, shown = array.matrix()
    cells = [[number(value) for value in row[:COLUMNS]] for row in shown[:ROWS]]
    width = max((len(cell) for row in cells for cell in row), default=1)
    more = "  ..." if shown.shape[1] > COLUMNS else ""
    lines = ["  ".join(cell.rjust(width) for cell in row) + more for row in cells]
    lines += ["..."] if len(shown) > ROWS else []
    return [f"{array.name} {array.values.shape}{name}", *(f"   {line}" for line in lines)]
