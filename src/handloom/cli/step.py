"""``handloom step``: one training step, every array of it, to follow with a pencil."""

from typing import Annotated, Any

import numpy as np
import typer

from handloom.cli.console import show_arrays, show_text
from handloom.cli.from_settings import options_from
from handloom.walkthrough.equations import Part, number
from handloom.walkthrough.step import tiny_settings, walk


@options_from(tiny_settings(), *("optimizer", "momentum", "learning_rate", "l1", "l2", "seed"))
def step(
    steps: Annotated[int, typer.Option(help="The number of steps to walk through.")] = 1,
    **values: Any,
) -> None:
    """Walk through a training step of a tiny network, with a pencil.

    Example: handloom step --optimizer adam --steps 2
    """
    settings = tiny_settings(**values)
    walked = walk(settings, steps)
    symbols = [f"r = {number(settings.learning_rate)} is the learning rate"]
    if settings.momentum:
        symbols.append(f"m = {number(settings.momentum)} the momentum")
    show_text(
        "Each equation is followed by one of its entries in numbers; [i,j] is row i, column j, "
        "counted from 0. Numbers are shown with four digits and computed with sixteen, so a zero "
        "may come out as 1e-17. A prime marks what a step has made: W0' is the new W0."
    )
    for count, parts in enumerate(walked, start=1):
        said = ", ".join([*symbols, f"t = {count} the number of the step"])
        print()
        show_text(f"Step {count} of {steps} by {settings.optimizer}: {said}.")
        for place, part in enumerate(parts, start=1):
            _show(place, part)


def _show(place: int, part: Part) -> None:
    print(f"\n{place}. {part.title}")
    for equation in part.equations:
        show_text(equation.text, indent=3)
        show_text(equation.entry, indent=6)
    show_arrays(
        (
            f"{array.name} {array.values.shape}",
            [[number(value) for value in row] for row in np.atleast_2d(array.values)],
        )
        for array in part.arrays
    )
