"""``handloom gradcheck``: gradients of a network compared with central differences."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from handloom.cli.console import show_table
from handloom.cli.datasets import NAMES, dataset_for, load_dataset, with_image_options
from handloom.cli.from_settings import options_from
from handloom.cli.options import explicit_options, load_model
from handloom.cli.table_options import refuse_table
from handloom.data import Dataset, ImageOptions
from handloom.data.transforms import Transform, transform_for
from handloom.errors import ConfigurationError, require_count
from handloom.gradcheck import COLUMNS, GradientReport, check_gradients
from handloom.network import Sequential
from handloom.randomness import Purpose, Stream
from handloom.recipes.settings import Settings

ROWS = 8
NETWORK = ("hidden", "l1", "l2")


@options_from(Settings(), *NETWORK, "seed")
@with_image_options
def gradcheck(
    context: typer.Context,
    options: ImageOptions,
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run folder of handloom train; by default a new network is checked.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[int, typer.Option(help="The number of rows of the dataset to use.")] = ROWS,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Check every weight; this is slow.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            help=f"A folder (IDX, .npy, images), or a name: {NAMES}; of a RUN on a table, a table. "
            "[default: the data of RUN; without RUN Fashion-MNIST, if it is found or can be "
            "downloaded]",
            show_default=False,
        ),
    ] = None,
    **values: Any,
) -> None:
    """Compare a network's gradients with central differences.

    The gradient of the penalty is included. The exit status is 1 if a gradient is wrong.

    Example: handloom gradcheck --hidden 32,32 --l1 1e-4
    """
    require_count("--rows", rows)
    settings = Settings(**values)
    if run is None:
        refuse_table(data, "gradcheck")
        part = load_dataset(data, options).train
        network = settings.build(part)
        transform = transform_for(part.inputs)
    else:
        if ignored := [f"--{name}" for name in explicit_options(context) if name in NETWORK]:
            raise ConfigurationError(
                f"{', '.join(ignored)} would be ignored: the network is that of {run}"
            )
        model = load_model(run)
        part = dataset_for(run, model, data, options).train
        model.check_rows(part.inputs[:1])
        network, transform = model.network, model.transform
    report = _check(network, transform, part, rows, thorough=thorough, seed=settings.seed)
    show_table(
        (report.title, f"{'a new network' if run is None else run} on {part.name}"),
        COLUMNS,
        [row.cells() for row in report.rows],
        left=2,
        caption=report.conclusion.splitlines(),
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
    """Check the gradients of a network on random rows of a dataset."""
    generator = Stream(seed).at(Purpose.GENERATE).generator()
    chosen = np.sort(generator.choice(len(part), min(rows, len(part)), replace=False))
    x = np.empty((len(chosen), *network.input_shape), np.float64)
    transform(part.inputs[chosen], x.reshape(len(x), -1))
    return check_gradients(network, x, part.targets[chosen], thorough=thorough, seed=seed)
