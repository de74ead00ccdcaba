"""``handloom step``: one training step, every array of it, to follow with a pencil."""

from typing import Annotated

import numpy as np
import typer

from handloom.cli.console import show_arrays, show_text
from handloom.optimizers import OPTIMIZERS
from handloom.walkthrough.equations import Part, number
from handloom.walkthrough.step import tiny_settings, walk


def step(
    optimizer: Annotated[str, typer.Option(help=" | ".join(OPTIMIZERS))] = "sgd",
    momentum: Annotated[float | None, typer.Option(help="For sgd and muon.")] = None,
    learning_rate: Annotated[float, typer.Option(help="The rate of every step.")] = 0.1,
    l1: Annotated[float, typer.Option(help="L1 strength on the weights of all layers.")] = 0.0,
    l2: Annotated[float, typer.Option(help="L2 strength on the weights of all layers.")] = 0.01,
    seed: Annotated[int, typer.Option(help="What every random draw comes from.")] = 0,
    steps: Annotated[int, typer.Option(help="How many steps to walk through.")] = 1,
) -> None:
    """Walk through a training step of a tiny network, with a pencil.

    Example: handloom step --optimizer adam --steps 2
    """
    settings = tiny_settings(
        optimizer=optimizer,
        momentum=momentum,
        learning_rate=learning_rate,
        l1=l1,
        l2=l2,
        seed=seed,
    )
    walked = walk(settings, steps)
    symbols = [f"r = {number(learning_rate)} is the learning rate"]
    if momentum:
        symbols.append(f"m = {number(momentum)} the momentum")
    show_text(
        "Each equation is followed by one of its entries in numbers; [i,j] is row i, column j, "
        "counted from 0. Numbers are shown with four digits and computed with sixteen, so a zero "
        "may come out as 1e-17. A prime marks what a step has made: W0' is the new W0."
    )
    for count, parts in enumerate(walked, start=1):
        said = ", ".join([*symbols, f"t = {count} the number of the step"])
        print()
        show_text(f"Step {count} of {steps} by {optimizer}: {said}.")
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
