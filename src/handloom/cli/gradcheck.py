"""``handloom gradcheck``: a network's gradients beside central differences."""

import math
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from handloom.cli.console import show_table
from handloom.cli.evaluate import dataset_of
from handloom.cli.options import Data, load_dataset, load_model, split_list
from handloom.data import Dataset
from handloom.data.transforms import Transform, transform_for
from handloom.errors import ConfigurationError, require_count
from handloom.gradcheck import COLUMNS, GradientReport, check_gradients
from handloom.network import Sequential
from handloom.randomness import Purpose, Stream
from handloom.recipes.settings import Settings

ROWS = 8
DEFAULTS = Settings()


def gradcheck(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="A folder that handloom train wrote; without it a fresh network is checked.",
            show_default=False,
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            help="Widths of the hidden layers.", show_default=",".join(map(str, DEFAULTS.hidden))
        ),
    ] = None,
    l1: Annotated[
        float | None, typer.Option(help="L1 strength on all weights.", show_default="0")
    ] = None,
    l2: Annotated[
        float | None, typer.Option(help="L2 strength on all weights.", show_default="0")
    ] = None,
    seed: Annotated[int, typer.Option(help="What every random draw comes from.")] = 0,
    rows: Annotated[int, typer.Option(help="How many rows of the dataset to use.")] = ROWS,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Look at every single weight; this takes long.")
    ] = False,
    data: Data = None,
) -> None:
    """Compare a network's gradients with central differences.

    The penalty is part of it. The exit status is 1 when one is off.

    Example: handloom gradcheck --hidden 32,32 --l1 1e-4
    """
    require_count("--rows", rows)
    described = {"--hidden": hidden, "--l1": l1, "--l2": l2}
    if run is None:
        part = load_dataset(data).train
        settings = Settings(
            hidden=DEFAULTS.hidden
            if hidden is None
            else tuple(split_list("--hidden", hidden, int)),
            l1=l1 or 0.0,
            l2=l2 or 0.0,
            seed=seed,
        )
        network = settings.network(len(part.class_names))
        network.build((math.prod(part.input_shape),), seed=seed)
        transform = transform_for(part.inputs)
    else:
        if given := [option for option, value in described.items() if value is not None]:
            raise ConfigurationError(
                f"{run} says what its network is; {', '.join(given)} would be ignored"
            )
        model = load_model(run)
        part = (dataset_of(model.trained_on) if data is None else load_dataset(data)).train
        model.check_rows(part.inputs[:1])
        network, transform = model.network, model.transform
    report = _check(network, transform, part, rows, thorough=thorough, seed=seed)
    show_table(
        f"{report.title}\n{'a fresh network' if run is None else run} on {part.name}",
        COLUMNS,
        [row.cells() for row in report.rows],
        left=2,
        caption=report.conclusion,
    )
    if not report.ok:
        raise typer.Exit(1)


def _check(
    network: Sequential,
    transform: Transform,
    part: Dataset,
    rows: int,
    *,
    thorough: bool,
    seed: int,
) -> GradientReport:
    """Check a network on a few random rows of a dataset."""
    generator = Stream(seed).at(Purpose.GENERATE).generator()
    chosen = np.sort(generator.choice(len(part), min(rows, len(part)), replace=False))
    x = np.empty((len(chosen), *network.input_shape), np.float64)
    transform(part.inputs[chosen], x)
    return check_gradients(network, x, part.targets[chosen], thorough=thorough, seed=seed)
