"""``handloom train``: train a network described by options."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from handloom.cli.console import note
from handloom.cli.datasets import (
    OPTIONS,
    Data,
    options_for_resume,
    recorded_data,
    refuse_in_images,
    with_data_options,
)
from handloom.cli.from_settings import options_from
from handloom.cli.logs import ForMLflow, ForTensorBoard, logs_to_json
from handloom.cli.options import (
    Out,
    explicit_options,
    output_folder,
    refuse_other_options,
)
from handloom.cli.ranks import Distribute, checked_distributed
from handloom.cli.runs import experiment_of
from handloom.cli.table_options import RUN_DEFAULTS, TABLE_OPTIONS, names_table
from handloom.cli.training import EVERY, TrainingMode, train_in_folder
from handloom.data.table_options import DataOptions, TableOptions
from handloom.errors import ConfigurationError, ModelError
from handloom.locks import only_writer
from handloom.recipes.base import Experiment
from handloom.recipes.option import options_of
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import RECIPES, named_recipe
from handloom.recipes.settings import Settings
from handloom.training import RunFolder
from handloom.training.triggers import FORMS

WITH_BOTH = (
    "checkpoint_every",
    "data",
    "report",
    "distributed",
    "tensorboard",
    "mlflow",
    *OPTIONS,
    *TABLE_OPTIONS,
)
"""Options of the command itself that are allowed with ``--resume`` and ``--recipe``."""

WITH_RESUME = ("resume", "threads", "epochs", *WITH_BOTH)
"""The options allowed with ``--resume``; all others are those of the run."""

WITH_RECIPE = (*(option.name for option in options_of(RecipeSettings)), *WITH_BOTH, "out")
"""The options allowed with ``--recipe``; all others are those of the recipe."""


@options_from(Settings())
@with_data_options
def train(
    context: typer.Context,
    options: DataOptions,
    recipe: Annotated[
        str | None,
        typer.Option(help=f"A recipe, with all its settings: {' | '.join(RECIPES)}."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Resume a run, with its own settings; a finished one with more --epochs.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        str | None,
        typer.Option(help=f"The interval between checkpoints: {FORMS}.", show_default=EVERY),
    ] = None,
    data: Data = None,
    out: Out = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write a page about the run; see handloom report.")
    ] = False,
    distributed: Distribute = None,
    tensorboard: ForTensorBoard = None,
    mlflow: ForMLflow = False,
    **values: Any,
) -> None:
    """Train a network and write a run folder.

    The run folder holds model, history, plots and results. Examples:

    handloom train --hidden 256,128 --epochs 5 --out runs/wide

    handloom train --resume runs/wide

    handloom train --resume runs/wide --epochs 20

    handloom train --recipe mlp-flash

    mpiexec -n 4 handloom train --recipe cnn --distributed mpi

    handloom train --data houses.csv --target price

    handloom train --tensorboard logs --mlflow

    With a table, --batch-size is 32 and --epochs 50 by default.
    """
    # only options set by the user: recipes and stopped runs have defaults of their own
    explicit = {name: values[name] for name in explicit_options(context) if name in values}
    mode = TrainingMode(
        checkpoint_every,
        report=report,
        distributed=checked_distributed(distributed),
        logs=logs_to_json(tensorboard, mlflow=mlflow),
    )
    if resume is not None:
        refuse_other_options(context, "--resume", WITH_RESUME)
        _resume(resume, data, options, mode, explicit)
        return
    settings: Experiment
    if recipe is not None:
        refuse_other_options(context, "--recipe", WITH_RECIPE)
        chosen = named_recipe(recipe)
        settings = RecipeSettings(chosen, **{"epochs": chosen.epochs, **explicit})
    else:
        of_table = isinstance(options, TableOptions) and options.image_shape is None
        defaults = RUN_DEFAULTS if of_table else {}
        settings = Settings(**{**defaults, **explicit})
    refuse_in_images(out or Path("runs"), data)
    with output_folder(out, recipe or "train") as folder:
        train_in_folder(folder, settings, data, options, mode)


def _resume(
    folder: Path,
    data: str | None,
    options: DataOptions,
    mode: TrainingMode,
    changes: Mapping[str, Any],
) -> None:
    run = RunFolder.open(folder)
    every = run.description.checkpoint_every
    if every is None:
        raise ModelError(f"{folder} cannot be resumed: its training wrote no checkpoints")
    settings = experiment_of(run, **changes)
    done = run.description.settings.get("epochs")
    if settings.fixed_length and changes.get("epochs", done) != done:
        raise ModelError(
            f"{folder}: --epochs must be {done}, for which its schedule of the learning rate was "
            f"made, got {changes['epochs']}"
        )
    with only_writer(folder, warn=note) as held:
        options = options_for_resume(folder, run.description, options)
        if data is None:
            data = recorded_data(run.description)
        elif names_table(data) != isinstance(options, TableOptions):
            kind = "the table " if isinstance(options, TableOptions) else ""
            raise ConfigurationError(
                f"--data {data}: {folder} was trained on {kind}{run.description.data}: name the "
                f"new place of that {'table' if kind else 'dataset'}, or leave --data out"
            )
        logs = {**run.description.logs, **mode.logs}
        mode = replace(mode, checkpoint_every=mode.checkpoint_every or every, logs=logs)
        train_in_folder(held, settings, data, options, mode, resumed=run)
