"""``handloom train``: train a network described by options."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from handloom import reports
from handloom.cli.console import note, show_table, wrote
from handloom.cli.from_settings import options_from
from handloom.cli.options import (
    Data,
    Out,
    data_found,
    given_options,
    load_dataset,
    output_folder,
    refuse_other_options,
)
from handloom.cli.runs import Describe, experiment_of
from handloom.data import Splits
from handloom.errors import ModelError
from handloom.locks import only_writer
from handloom.parallel.threads import default_threads
from handloom.recipes import experiment
from handloom.recipes.base import Experiment
from handloom.recipes.experiment import Trained
from handloom.recipes.option import options_of
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import RECIPES, named_recipe
from handloom.recipes.settings import Settings
from handloom.training import (
    Checkpoints,
    CSVLog,
    History,
    LayerNorms,
    Progress,
    RunDescription,
    RunFolder,
    StopReason,
)
from handloom.training.triggers import FORMS, trigger

EVERY = "5m"
"""The default of ``--checkpoint-every``."""

OWN = ("checkpoint_every", "data")
"""Options of the command itself that go with ``--resume`` and ``--recipe``."""

WITH_RESUME = ("resume", "threads", *OWN)
"""The options that go with ``--resume``; all others are the run's."""

WITH_RECIPE = (*(option.name for option in options_of(RecipeSettings)), *OWN, "out")
"""The options that go with ``--recipe``; all others are the recipe's."""


@options_from(Settings())
def train(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Option(help=f"A training chosen beforehand: {' | '.join(RECIPES)}."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with a run that was stopped; nothing else needed."),
    ] = None,
    checkpoint_every: Annotated[
        str | None,
        typer.Option(help=f"How far apart checkpoints are: {FORMS}.", show_default=EVERY),
    ] = None,
    data: Data = None,
    out: Out = None,
    **values: Any,
) -> None:
    """Train a network and write a run folder.

    Writes model, history, pictures and results. Examples:

    handloom train --hidden 256,128 --epochs 5 --out runs/wide

    handloom train --resume runs/wide

    handloom train --recipe mlp-flash
    """
    # only what was given: a recipe and a stopped run have defaults of their own
    given = {name: values[name] for name in given_options(context) if name in values}
    if resume is not None:
        refuse_other_options(context, "--resume", WITH_RESUME)
        _resume(resume, data, checkpoint_every, given)
        return
    settings: Experiment
    if recipe is not None:
        refuse_other_options(context, "--recipe", WITH_RECIPE)
        chosen = named_recipe(recipe)
        settings = RecipeSettings(chosen, **{"epochs": chosen.epochs, **given})
    else:
        settings = Settings(**given)
    with output_folder(out, recipe or "train") as folder:
        _train(folder, settings, data, checkpoint_every or EVERY)


def _resume(
    folder: Path, data: str | None, checkpoint_every: str | None, changes: Mapping[str, Any]
) -> None:
    run = RunFolder.open(folder)
    every = run.description.checkpoint_every
    if every is None:
        raise ModelError(f"{folder}: this training wrote no checkpoints that it could go on from")
    settings = experiment_of(run, **changes)
    with only_writer(folder):
        source = run.description.data if data is None else data
        _train(folder, settings, source, checkpoint_every or every, resumed=run)


def _train(
    folder: Path,
    settings: Experiment,
    data: str | None,
    checkpoint_every: str,
    *,
    resumed: RunFolder | None = None,
) -> None:
    trigger(checkpoint_every)
    splits = load_dataset(data)
    described: dict[str, Any] = {
        "settings": experiment.experiment_to_json(settings),
        "data": data_found(data, splits),
        "checkpoint_every": checkpoint_every,
        "threads": settings.threads or default_threads(),
    }
    description = RunDescription(**described)
    if resumed is not None:
        description = resumed.description.resumed(**described)
    run = RunFolder(folder, description)
    trained = experiment.train(
        settings,
        splits,
        [
            Describe(run, resumed=resumed is not None),
            Progress(),
            CSVLog(run.history_table),
            LayerNorms(),
        ],
        checkpoints=Checkpoints(run.checkpoints, every=checkpoint_every, warn=note),
        resume=resumed is not None,
        on_signal="finish",  # the command says itself how training ended
    )
    reports.write_run(run, settings.title, splits, trained)
    _show(splits, trained)
    wrote(folder, run.contents())
    end_with(trained.history, folder)


def _show(splits: Splits, trained: Trained) -> None:
    history, test = trained.history, trained.test
    rows = [
        ("training, last epoch", f"{record.accuracy:.4f}", f"{record.loss:.4f}")
        for record in history.records[-1:]
    ]
    show_table(
        f"{splits.name}, {len(splits.train):,} training and {len(splits.test):,} test rows",
        ("", "accuracy", "loss"),
        [*rows, ("test", f"{test.accuracy:.4f}", f"{test.loss:.4f}")],
        caption=f"{len(history)} epochs in {history['seconds'].sum():.1f} s with "
        f"backend {history.backend}, ready in {history.preparation_seconds:.1f} s; "
        f"ended by {history.stop_reason}",
    )


def end_with(history: History, run: Path | None = None) -> None:
    """Leave with the status that belongs to the reason why training ended.

    Parameters
    ----------
    history : History
        Of the training.
    run : path, optional
        A run folder that the training can be resumed from.
    """
    reason = history.stop_reason
    if reason is StopReason.INTERRUPTED:
        further = "" if run is None else f"; handloom train --resume {run} goes on"
        note(f"interrupted: what was learned until then is saved{further}")
        raise typer.Exit(130)
    if reason is not None and reason.diverged:
        note(
            f"error: training diverged ({reason}); the last good weights are saved.\n"
            f"{history.divergence}."
        )
        raise typer.Exit(1)
