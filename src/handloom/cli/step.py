"""``handloom step``: every array and equation of a training step."""

from typing import Annotated, Any

import numpy as np
import typer

from handloom.cli.console import say, show_arrays, show_text
from handloom.cli.from_settings import options_from
from handloom.walkthroughs.equations import Part, number
from handloom.walkthroughs.step import tiny_settings, walk


@options_from(tiny_settings(), "optimizer", "momentum", "learning_rate", "l1", "l2", "seed")
def step(
    steps: Annotated[int, typer.Option(help="The number of training steps.")] = 1,
    **values: Any,
) -> None:
    """Print every array of a training step of a tiny network.

    Example: handloom step --optimizer adam --steps 2
    """
    settings = tiny_settings(**values)
    parts_of_steps = walk(settings, steps)
    symbols = [f"r = {number(settings.peak_rate)} is the learning rate"]
    if settings.momentum:
        symbols.append(f"mu = {number(settings.momentum)} the momentum")
    show_text(
        "Each equation is followed by one of its entries in numbers; [i,j] is row i, column j, "
        "counted from 0. Numbers are shown with four digits and computed with sixteen, so a zero "
        "may appear as 1e-17. A prime marks a value after the step: W0' is the new W0."
    )
    for count, parts in enumerate(parts_of_steps, start=1):
        legend = ", ".join([*symbols, f"step = {count} the number of the step"])
        say("")
        show_text(f"Step {count} of {steps} by {settings.optimizer}: {legend}.")
        for index, part in enumerate(parts, start=1):
            _show(index, part)


def _show(index: int, part: Part) -> None:
    say("", f"{index}. {part.title}")
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
